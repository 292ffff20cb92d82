"""The admin's first page and its sidebar: what happens now, and what waits for a person.

Every number is bounded (by time, by an index, by a most) so that the page costs the same at any
size.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, Max
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from connections.access import Principal
from connections.admin.instances import recent_events
from connections.models import Instance
from connections.rest.authentication import principal
from events.models import Event, OutboxMessage, RawPayload
from registry.models import Approval, Run
from registry.models.run import ENDED, LIVE

MOST = 10_000  # a count stops here and says "10 000+"
NEWEST_RUNS = 5_000  # runs looked at for "runs by state"
INSTANCES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Card:
    """One number with a link. is_alarm: it waits for a person when it is not zero."""

    title: str
    value: str
    hint: str
    url: str
    is_alarm: bool = False


@dataclass(slots=True)
class Board:
    cards: list[Card] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's dashboard callback: adds `board`, None for people without the read scope."""
    who = principal(request)
    context["title"] = "Dashboard"
    context["board"] = board(who) if who.may("read") else None
    return context


def board(who: Principal) -> Board:
    now = timezone.now()
    events = Event.objects.visible_to(who)
    page = {name: reverse(f"admin:{name}_changelist") for name in (
        "events_event", "events_rawpayload", "events_outboxmessage", "registry_run",
        "registry_approval")}
    dead = _capped(RawPayload.objects.visible_to(who).open_dead_letters())
    unknown = _capped(OutboxMessage.objects.visible_to(who).unresolved())
    asked = _capped(Approval.objects.visible_to(who).filter(state="open"))
    failed = _capped(Run.objects.visible_to(who).failures())
    waiting = _capped(events.unrouted())
    cards = [
        Card("Events, last hour", _capped(events.filter(
            received_at__gte=now - timedelta(hours=1))), "received", page["events_event"]),
        Card("Events, last 24 hours", _capped(events.filter(
            received_at__gte=now - timedelta(days=1))), "received", page["events_event"]),
        Card("Waiting to be routed", waiting, "stored, no decision yet", page["events_event"]),
        Card("Failed", failed, "runs that failed, not put aside",
             f"{page['registry_run']}?failed=1", failed != "0"),
        Card("Dead letters", dead, "kept, not understood",
             f"{page['events_rawpayload']}?quarantine=1", dead != "0"),
        Card("Unknown sends", unknown, "may have been sent; a person decides",
             f"{page['events_outboxmessage']}?open=1", unknown != "0"),
        Card("Approvals", asked, "runs that wait for a person's answer",
             f"{page['registry_approval']}?state__exact=open", asked != "0"),
    ]
    return Board(cards, _runs(who, page["registry_run"]), _instances(who))


def _capped(rows: Any) -> str:
    found = rows.order_by().values("pk")[:MOST + 1].count()
    return f"{MOST:,}+".replace(",", " ") if found > MOST else f"{found:,}".replace(",", " ")


def _runs(who: Principal, url: str) -> list[dict[str, Any]]:
    """Runs of the last 24 hours by state, among the newest NEWEST_RUNS."""
    rows = Run.objects.visible_to(who)
    newest = Run.objects.aggregate(newest=Max("pk"))["newest"] or 0
    counts = dict(rows.filter(pk__gt=newest - NEWEST_RUNS,
                              created_at__gte=timezone.now() - timedelta(days=1)).order_by()
                  .values_list("state").annotate(Count("pk")))
    return [{"state": state, "count": counts.get(state, 0),
             "url": f"{url}?state__exact={state}"} for state in (*LIVE, *ENDED)]


def _instances(who: Principal) -> list[Instance]:
    rows = list(Instance.objects.visible_to(who).active().defer("credentials")[:INSTANCES_SHOWN])
    recent = recent_events([row.pk for row in rows])
    for row in rows:
        row.last_event_at = recent.get(row.pk)
    return rows


_MENU = (
    ("Live", (("Dashboard", "space_dashboard", "admin:index", None, ""),
              ("Events", "bolt", "events_event", None, ""),
              ("Conversations", "forum", "events_conversation", None, ""),
              ("Contacts", "group", "events_contact", None, ""))),
    ("Automation", (("Workflows", "account_tree", "registry_workflow", None, ""),
                    ("Versions", "history", "registry_workflowversion", None, ""),
                    ("Runs", "play_circle", "registry_run", None, ""),
                    ("Approvals", "how_to_reg", "registry_approval", None, ""),
                    ("Tasks", "checklist", "actions_task", None, ""),
                    ("Memories", "psychology", "actions_memory", None, ""),
                    ("Routing decisions", "alt_route", "registry_routingdecision", None, ""),
                    ("Agents", "smart_toy", "actions_agent", None, ""),
                    ("Contact lists", "rule", "actions_contactlist", None, ""))),
    ("Deliveries", (("Outbox", "outbox", "events_outboxmessage", None, ""),
                    ("Unknown sends", "help", "events_outboxmessage", "open", "1"),
                    ("Raw payloads", "inventory_2", "events_rawpayload", None, ""),
                    ("Dead letters", "report", "events_rawpayload", "quarantine", "1"),
                    ("Knocks", "door_front", "events_knock", None, ""))),
    ("Set up", (("Instances", "cable", "connections_instance", None, ""),
                ("Secrets", "lock", "connections_secret", None, ""),
                ("API keys", "key", "connections_apikey", None, ""),
                ("People", "person", "auth_user", None, ""),
                ("Groups", "groups", "auth_group", None, ""))),
    ("System", (("Audit log", "fact_check", "omni_auditentry", None, ""),
                ("Schedules", "schedule", "django_q_schedule", None, ""),
                ("Done tasks", "task_alt", "django_q_success", None, ""),
                ("Failed tasks", "error", "django_q_failure", None, ""),
                ("API docs", "api", "docs", None, ""))),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar: groups of pages this person may see."""
    pages = {f"{model._meta.app_label}_{model._meta.model_name}": page
             for model, page in admin.site._registry.items()}
    groups = []
    for title, items in _MENU:
        shown = [_item(request, *item) for item in items
                 if item[2] not in pages and not _is_list(item[2])
                 or item[2] in pages and pages[item[2]].has_view_permission(request)]
        if shown:
            groups.append({"title": title, "separator": True, "items": shown})
    return groups


def _is_list(name: str) -> bool:
    """Whether a name is one of a list page; a list nobody registered is left out."""
    return "_" in name and ":" not in name


def _item(request: HttpRequest, title: str, icon: str, name: str, filter_by: str | None,
          value: str) -> dict[str, Any]:
    url = reverse(f"admin:{name}_changelist" if _is_list(name) else name)
    is_here = request.path == url if name == "admin:index" else request.path.startswith(url)
    chosen = request.GET.get(filter_by) == value if filter_by else not _is_preset(request, name)
    return {"title": title, "icon": icon, "active": is_here and chosen,
            "link": f"{url}?{filter_by}={value}" if filter_by else url}


def _is_preset(request: HttpRequest, name: str) -> bool:
    """Whether another entry of the sidebar names this very view of the list."""
    return any(item[2] == name and item[3] and request.GET.get(item[3]) == item[4]
               for _, items in _MENU for item in items)
