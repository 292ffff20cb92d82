"""Every address, in one place. Hot webhook POSTs are taken before Django (`omni.asgi`)."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from events.door.views import WebhookView
from omni.web import health, own_password

webhook = WebhookView.as_view()

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("webhooks/<str:provider>/<str:slug>/", webhook, name="webhook"),
    path("webhooks/<str:provider>/<str:slug>", webhook),
    path("webhooks/<str:provider>/<str:slug>/<path:tail>", webhook),
    path("webhook/evolution/<str:slug>", webhook, {"provider": "whatsapp_evolution"}),
    path("webhook/evolution/<str:slug>/<path:tail>", webhook, {"provider": "whatsapp_evolution"}),
    path("api/v1/", include("omni.urls_api")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("favicon.ico", RedirectView.as_view(url="/static/events/icon.svg")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/password_change/", admin.site.admin_view(own_password.change, cacheable=True)),
    path("admin/", admin.site.urls),
    path("", include("events.urls_pages")),
]
handler404 = "omni.api.not_found"
handler500 = "omni.api.server_error"
