"""Every address of the REST API, below /api/v1/."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from actions.api.agents import AgentViewSet, ContactListViewSet
from actions.api.tasks import TaskViewSet
from catalog.api import ActionListView, ActionView, ProviderListView, ProviderView
from connections.api.instances import InstanceViewSet
from connections.api.keys import ApiKeyViewSet
from connections.api.secrets import SecretViewSet
from events.api.media import AttachmentBytesView
from events.api.messages import SendView
from events.api.rows import (
    ContactViewSet,
    ConversationViewSet,
    EventActionViewSet,
    EventViewSet,
    OutboxViewSet,
    RawPayloadViewSet,
)
from registry.api.approvals import ApprovalViewSet
from registry.api.bindings import BindingViewSet
from registry.api.runs import RunViewSet
from registry.api.trace import TraceView
from registry.api.workflows import WorkflowViewSet

router = SimpleRouter()
router.register("instances", InstanceViewSet, basename="instance")
router.register("api-keys", ApiKeyViewSet, basename="api-key")
router.register("secrets", SecretViewSet, basename="secret")
router.register("events", EventViewSet, basename="event")
router.register("event-actions", EventActionViewSet, basename="event-action")
router.register("raw-payloads", RawPayloadViewSet, basename="raw-payload")
router.register("conversations", ConversationViewSet, basename="conversation")
router.register("contacts", ContactViewSet, basename="contact")
router.register("outbox", OutboxViewSet, basename="outbox")
router.register("agents", AgentViewSet, basename="agent")
router.register("contact-lists", ContactListViewSet, basename="contact-list")
router.register("tasks", TaskViewSet, basename="task")
router.register("workflows", WorkflowViewSet, basename="workflow")
router.register("approvals", ApprovalViewSet, basename="approval")
router.register("runs", RunViewSet, basename="run")

urlpatterns = [
    path("events/<str:pk>/trace/", TraceView.as_view(), name="event-trace"),
    path("events/<str:pk>/attachments/<int:position>/", AttachmentBytesView.as_view(),
         name="event-attachment"),
    path("messages/send/", SendView.as_view(), name="message-send"),
    path("bindings/", BindingViewSet.as_view({"get": "list", "put": "put"}), name="binding-list"),
    path("bindings/<int:pk>/", BindingViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
         name="binding-detail"),
    path("catalog/actions/", ActionListView.as_view(), name="catalog-actions"),
    path("catalog/actions/<str:id>/", ActionView.as_view(), name="catalog-action"),
    path("catalog/providers/", ProviderListView.as_view(), name="catalog-providers"),
    path("catalog/providers/<str:name>/", ProviderView.as_view(), name="catalog-provider"),
    path("", include(router.urls)),
]
