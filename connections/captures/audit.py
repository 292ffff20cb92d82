"""Runs captured deliveries through an adapter, without storing or sending, and says what came out.

The same order as the front door: handshake, proof, parsing, mapping, answer.
"""

import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_origin

from pydantic import ValidationError

from connections import library
from connections.adapter import Account, Adapter, Answer, Config, Delivery
from connections.captures import files
from connections.envelope import UNMAPPED, is_kind, moment_of
from connections.models import Instance
from connections.payload import Unparsable
from omni.errors import InvalidInput, SignatureMismatch

NOT_CHECKED = "not checked"
SLUG = "audit"


@dataclass(frozen=True, slots=True)
class Result:
    """What one delivery came to.

    verified: True, False, or "not checked" when no instance file says how to prove a sender.
    proof: what `verify` named. events: drafts with every field. error: "code: message".
    state: mapped, answered (a handshake), quarantined, refused, failed or skipped.
    """

    file: str
    provider: str
    state: str
    verified: bool | str = NOT_CHECKED
    proof: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def is_failure(self) -> bool:
        return self.state in ("refused", "failed")


@dataclass(frozen=True, slots=True)
class Setup:
    """Who a delivery is for. is_checked: whether the sender's proof can be checked at all."""

    adapter: Adapter
    account: Account
    now: datetime
    transport: str
    is_checked: bool


def audit(paths: Iterable[Path], *, provider: str = "", instance: dict[str, Any] | None = None,
          now: datetime | None = None) -> Iterator[Result]:
    """One result per delivery found below `paths`, in name order.

    provider, instance: instead of what the folders say. now: the clock where no instance file
    freezes it; one moment for the whole run.
    Raises InvalidInput for a path, a sidecar or an instance file that cannot be read.
    """
    clock = now or datetime.now(UTC)
    setups: dict[Path, Setup | Result] = {}
    for path in paths:
        for capture in files.find(path):
            setup = setups.get(capture.folder)
            if setup is None:
                setup = setups[capture.folder] = _prepare(capture.folder, provider, instance, clock)
            if isinstance(setup, Setup):
                yield run(capture, setup)
            elif setup.error:
                yield Result(capture.name, setup.provider, "failed", error=setup.error)


def run(capture: files.Capture, setup: Setup) -> Result:
    """One delivery, all the way to its drafts and its answer."""
    adapter, account = setup.adapter, setup.account
    if capture.is_answer:
        return Result(capture.name, adapter.name, "skipped")
    frames = "" if capture.has_sidecar else getattr(adapter, "frame_transport", "")
    delivery = capture.delivery(provider=adapter.name, slug=account.slug, now=setup.now,
                                transport=frames or setup.transport)
    facts: dict[str, Any] = {"file": capture.name, "provider": adapter.name}
    try:
        shaken = adapter.handshake(delivery, account)
        if shaken is not None:
            return Result(**facts, state="answered", answer=_as_dict(shaken))
        if setup.is_checked and delivery.transport == "http":
            facts["proof"] = adapter.verify(delivery, account, now=setup.now)
            facts["verified"] = True
        facts.update(_understand(delivery, setup))
        return Result(**facts, answer=_answer(delivery, setup, reason=facts.get("error")))
    except SignatureMismatch as exc:
        facts["verified"] = False
        body = {"error": {"code": exc.code, "message": exc.message}}
        return Result(**facts, state="refused", answer=_as_dict(Answer(401, body)),
                      error=f"{exc.code}: {exc.message}")


def coverage(results: Iterable[Result]) -> dict[str, Any]:
    """The table under the results: kinds by provider, counts, unmapped native types, failures."""
    by_provider: dict[str, Counter[str]] = {}
    states: Counter[str] = Counter()
    unmapped: Counter[str] = Counter()
    for result in results:
        states[result.state] += 1
        kinds = by_provider.setdefault(result.provider, Counter())
        for event in result.events:
            kinds[event["event_type"]] += 1
            if event["event_type"] == UNMAPPED:
                unmapped[event["provider_event_type"]] += 1
    total: Counter[str] = sum(by_provider.values(), Counter())
    return {
        "coverage": {name: dict(sorted(kinds.items())) for name, kinds in by_provider.items()},
        "kinds": dict(sorted(total.items())),
        "counts": {"deliveries": states.total(), "events": total.total(), **states},
        "unmapped": unmapped.total(), "unmapped_types": dict(unmapped),
        "failures": states["refused"] + states["failed"]}


def _prepare(folder: Path, provider: str, instance: dict[str, Any] | None,
             clock: datetime) -> Setup | Result:
    """The setup of a folder; a failed result to copy when it has none."""
    known = library.adapters()
    found = files.instance_of(folder, known=known) if instance is None else instance
    given = found or {}
    name = provider or str(given.get("provider") or "")
    try:
        name = name or files.provider_of(folder, known=known)
        adapter = library.get(name)
        account = _account(adapter, given) if found is not None else open_account(adapter)
        return Setup(adapter, account, _moment(given.get("now")) or clock,
                     str(given.get("transport") or "http"), found is not None)
    except InvalidInput as exc:
        return Result(str(folder), name, "failed", error=f"{exc.code}: {exc.message}")


def _account(adapter: Adapter, given: dict[str, Any]) -> Account:
    """The account an instance file describes. own_ids go where the settings have a place."""
    settings = dict(given.get("settings") or {})
    places = adapter.Settings.model_fields
    own = given.get("own_ids") or {}
    for name, value in (own if isinstance(own, dict) else {"own_ids": own}).items():
        if name in places:
            settings.setdefault(name, value)
    return Instance(slug=str(given.get("slug") or SLUG), provider=adapter.name, settings=settings,
                    credentials=given.get("credentials") or {}).account()


def open_account(adapter: Adapter) -> Account:
    """Defaults, with empty values where there are none: good enough to map with, not to verify."""
    return Account(slug=SLUG, provider=adapter.name, settings=_defaults(adapter.Settings),
                   credentials=_defaults(adapter.Credentials))


def _defaults(model: type[Config]) -> Config:
    try:
        return model()
    except ValidationError:
        return model.model_construct(**{
            name: _empty(get_origin(field.annotation) or field.annotation)
            for name, field in model.model_fields.items() if field.is_required()})


def _empty(kind: Any) -> Any:
    return kind() if kind in (str, int, float, bool, list, dict) else None


def _moment(value: Any) -> datetime | None:
    """A clock to freeze: ISO text or Unix seconds. Raises InvalidInput."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError) as exc:
        raise InvalidInput(f"now must be ISO 8601 or Unix seconds, not {value!r}") from exc
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _understand(delivery: Delivery, setup: Setup) -> dict[str, Any]:
    """State, drafts, flags and error of a proven delivery."""
    try:
        parsed = setup.adapter.parse(delivery, setup.account)
        drafts = setup.adapter.normalize(parsed.value, delivery, setup.account)
    except Unparsable as exc:
        return {"state": "quarantined", "error": f"{exc.code}: {exc.message}"}
    except Exception as exc:  # a delivery is a request here: one must not end the run
        return {"state": "failed", "error": f"mapping_error: {_where(exc)}"}
    for index, draft in enumerate(drafts):
        draft.raw_index = draft.raw_index or index
        draft.normalizer = draft.normalizer or setup.adapter.normalizer
        draft.occurred_at, draft.occurred_at_source = moment_of(
            draft, received_at=delivery.received_at or setup.now)
    found = {"events": [asdict(draft) for draft in drafts], "flags": sorted(parsed.flags)}
    if not drafts:
        return {**found, "state": "quarantined", "error": "no_events: nothing was made of it"}
    wrong = [f"'{draft.event_type}' is no kind" for draft in drafts
             if not is_kind(draft.event_type)]
    wrong += [f"event {draft.raw_index} has no dedup_key" for draft in drafts
              if not draft.dedup_key]
    if wrong:
        return {**found, "state": "failed", "error": f"bad_draft: {'; '.join(wrong)}"}
    return {**found, "state": "mapped"}


def _answer(delivery: Delivery, setup: Setup, *, reason: str | None) -> dict[str, Any]:
    if delivery.transport != "http":
        return {"status": None, "headers": {}, "body": None}  # nobody answers a frame
    usual = Answer(202, {"status": "accepted"})
    if reason:
        usual = Answer(200, {"status": "quarantined", "reason": reason.partition(":")[0]})
    return _as_dict(setup.adapter.acknowledge(delivery, setup.account) or usual)


def _as_dict(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}


def _where(exc: Exception) -> str:
    """Class and place of an error; the message may hold a person's words, yet this is a console."""
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    return f"{type(exc).__name__}: {exc} ({Path(frame.filename).name}:{frame.lineno})"
