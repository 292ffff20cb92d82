"""The instances of the demo: made once, used again, switched to the stand-in that runs now."""

from typing import Any, Protocol

from connections.library import adapters
from connections.models import Instance
from omni import audit
from omni.demo import orders, site, whatsapp
from omni.demo.script import Line, Request, Turn
from registry.models import Workflow
from registry.versions import bindings

ACTOR = "command:demo"


class Part(Protocol):
    """What a module of the demo offers: one instance and its day."""

    PROVIDER: str
    SLUG: str
    NAME: str
    LINES: list[Line]
    WORKFLOWS: dict[str, dict[str, Any]]

    def settings(self, *, base_url: str) -> dict[str, Any]: ...

    def new_credentials(self) -> dict[str, Any]: ...

    def request(self, line: Line, turn: Turn) -> Request: ...


ALL: tuple[Part, ...] = (whatsapp, orders, site)


def ready_parts() -> list[tuple[Part, Instance]]:
    """Every part with its instance, made where there is none.

    Left out: providers this installation has no adapter for, and what somebody archived.
    """
    found = []
    for part in ALL:
        if part.PROVIDER not in adapters():
            continue
        instance = (Instance.objects.filter(slug=part.SLUG, provider=part.PROVIDER).first()
                    or _make(part))
        if instance.archived_at is None:
            found.append((part, instance))
    return found


def lead_to(part: Part, instance: Instance, base_url: str) -> None:
    """Let the instance send to the stand-in that runs now; what people changed stays."""
    fresh, neutral = part.settings(base_url=base_url), part.settings(base_url="")
    moved = {name: value for name, value in fresh.items() if value != neutral[name]}
    if moved:
        instance.settings = {**instance.settings, **moved}
        instance.save()


def _make(part: Part) -> Instance:
    instance = Instance(slug=part.SLUG, name=part.NAME, provider=part.PROVIDER, labels=["demo"],
                        settings=part.settings(base_url=""), credentials=part.new_credentials())
    instance.full_clean()
    instance.save()
    audit.note(ACTOR, "instance.created", instance.slug)
    for slug, inputs in part.WORKFLOWS.items():
        workflow = Workflow.objects.filter(slug=slug).first()
        if workflow is not None:
            bindings.bind(workflow, scope="instance", instance=instance, inputs=inputs, actor=ACTOR)
    return instance
