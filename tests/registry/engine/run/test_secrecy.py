"""`secrets.<name>`: a step is given the value, and it stands nowhere else."""

import html
import json
import logging
import traceback
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from django.db import OperationalError, connection

from connections.models import Secret
from connections.secrets.store import Vault
from events.models import EventAction, OutboxMessage
from omni.errors import OmniError, UnknownOutcome
from registry.engine.run.secrecy import masked_facts, without_secrets
from registry.models import Run
from registry.trials.trial import try_out
from registry.versions import drafts
from tests.api_client import client_of, post_json
from tests.factories import make_event, make_instance, make_run, make_workflow, switch_on
from tests.registry.runs import advance, work
from tests.stored import everything_stored

pytestmark = pytest.mark.django_db
CANARY = "whsec_Y2FuYXJ5LXNlY3JldC1vZi10ZXN0cw=="
NOTIFY = """\
omni: 1
id: told
trigger: [{event: message.text}]
steps:
  - uses: meta.notify.webhook
    with:
      url: ${{ secrets.address }}
      text: hello
      secret: ${{ secrets.signing }}
"""


@pytest.fixture
def shop(httpserver):
    httpserver.expect_request("/canary-path").respond_with_json({"echo": CANARY})
    shop = make_instance("shop")
    Secret.objects.create(name="address", value=httpserver.url_for("/canary-path"))
    Secret.objects.create(name="signing", value=CANARY, instance=shop)
    return shop


def run_of(shop, text=NOTIFY):
    return advance(make_run(make_event(shop), workflow=make_workflow(text)))


def test_action_is_given_the_secret_and_the_trace_is_not(shop, httpserver):
    run = run_of(shop)

    [(request, _)] = httpserver.log
    outcome = EventAction.objects.get(run_id=run.pk)
    assert run.state == "done", run.reason
    assert request.path == "/canary-path" and request.headers["webhook-signature"]
    assert outcome.input == {"url": "[secret]", "text": "hello", "secret": "[secret]"}


def test_no_table_holds_a_secret_in_the_open(shop):
    run_of(shop)

    stored = everything_stored()
    assert CANARY not in stored and "canary-path" not in stored


def test_secret_of_the_account_wins_over_one_of_all(shop, httpserver):
    httpserver.expect_request("/own").respond_with_json({})
    Secret.objects.create(name="address", value=httpserver.url_for("/own"), instance=shop)
    other = make_instance("other")
    Secret.objects.create(name="address", value="http://127.0.0.1:9/foreign", instance=other)

    run_of(shop)

    assert [request.path for request, _ in httpserver.log] == ["/own"]


def test_secret_of_another_account_is_none(shop):
    run = run_of(make_instance("other"))

    outcome = EventAction.objects.get(run_id=run.pk)
    assert (outcome.status, outcome.code) == ("unavailable", "not_configured")
    assert "there is no secret 'signing' here; add it under Secrets" in outcome.reason


def test_secret_inside_a_host_is_not_kept_as_the_recipient(shop):
    Secret.objects.create(name="host", value="Canary-Host")
    text = NOTIFY.replace("${{ secrets.address }}", "http://${{ secrets.host }}.invalid/x")

    run = run_of(shop, text)

    row = OutboxMessage.objects.get(run_id=run.pk)
    assert row.recipient == "[secret].invalid" and "canary-host" not in row.error.lower()
    assert "canary-host" not in everything_stored().lower()


HOST_OR_PORT = """\
omni: 1
id: told
trigger: [{event: message.text}]
steps:
  - uses: meta.notify.webhook
    with: {url: 'WHERE', text: hello}
"""


@pytest.mark.parametrize("value", [
    "canary\n9z8y7x", "can\u00e1ry-9z8y7x", 'canary"\\9z8y7x', "canary 9z8y7x", "canary\t9z8y7x",
    "https://bot:9z8y7x/word@hooks.invalid/x"])
@pytest.mark.parametrize("where", [
    "${{ secrets.k }}", "http://${{ secrets.k }}/", "http://127.0.0.1:${{ secrets.k }}/",
    "http://127.0.0.1:9/${{ secrets.k }}"])
def test_odd_secret_inside_an_address_stands_in_no_table_and_no_log(value, where, caplog):
    caplog.set_level(logging.DEBUG)
    Secret.objects.create(name="k", value=value)

    run = run_of(make_instance("shop"), HOST_OR_PORT.replace("WHERE", where))

    assert run.state == "failed"
    assert "9z8y7x" not in everything_stored().lower() and "9z8y7x" not in caplog.text.lower()


@pytest.mark.parametrize("written", [
    repr, ascii, json.dumps, quote, quote_plus, lambda text: quote(text, safe=""),
    lambda text: json.dumps(text, ensure_ascii=False), html.escape,
    lambda text: html.escape(text, quote=False), lambda text: text.upper(),
    lambda text: b64encode(text.encode()).decode(),
    lambda text: urlsafe_b64encode(text.encode()).decode().rstrip("="),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: quote(b64encode(text.encode()).decode(), safe="")])
def test_secret_is_masked_however_it_is_written(written):
    value = 'can\u00e1ry "two"\\three/four\n'
    Secret.objects.create(name="k", value=value)
    vault = Vault(None)
    vault["k"]

    assert vault.masked(f"<{written(value)}>").strip("<>\"'=") in ("[secret]", "[secret]%3D%3D")


@pytest.mark.parametrize("user", ["a", "an", "ana", "ana:b"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_password_inside_basic_authorization_is_masked(user, encode):
    value = "canary?password>\u00ff9z8y7x"
    Secret.objects.create(name="k", value=value)
    vault = Vault(None)
    vault["k"]

    told = vault.masked(encode(f"{user}:{value}".encode()).decode())

    assert "[secret]" in told and len(told) < len("[secret]") + 4 + 2 * len(user)


@pytest.mark.parametrize("value", ["can\u00e1ry-9z8y7x", "Stra\u00dfe9z8y7x",
                                   "9z8y7x\u3002\u00e1b"])
@pytest.mark.parametrize("written", [
    lambda text: text.encode("idna").decode(),
    lambda text: ".".join(f"xn--{label.encode('punycode').decode()}" if not label.isascii()
                          else label for label in text.lower().replace("\u3002", ".").split("."))])
def test_secret_is_masked_as_a_host_carries_it(value, written):
    Secret.objects.create(name="k", value=value)
    vault = Vault(None)
    vault["k"]

    assert vault.masked(f"no host {written(value)}.invalid") == "no host [secret].invalid"


def test_every_secret_is_masked_wherever_it_stands_as_soon_as_it_was_handed_out():
    vault = Vault(None)
    for name in ("first", "second"):
        Secret.objects.create(name=name, value=f"{name} canary")
        vault[name]

        assert vault.masked({f"{name} canary": [f"{name} canary"]}) == {"[secret]": ["[secret]"]}


def test_value_that_does_not_fit_is_not_repeated_in_the_error(shop):
    Secret.objects.create(name="key", value="canary-key")
    text = NOTIFY.replace("${{ secrets.address }}", "not an address ${{ secrets.key }}")

    run = run_of(shop, text)

    assert run.state == "failed" and "canary-key" not in everything_stored()


SLASHED = "canary/9z8y7x/word/of/somebody/longer/than/40"


@pytest.mark.parametrize(("function", "expression"), [
    ("date", "date(now, K)"), ("time", "time(K, 'UTC')"), ("add_hours", "add_hours(K, 2)"),
    ("hour", "hour(now, first(split(K, '-')))"), ("format_number", "format_number(1, 2, K)"),
    ("matches", "matches('a', K + '(')"), ("date", "date(now, replace(K, '/', '_'))"),
    ("in_hours", "in_hours(now, '09:00-18:00', K)"), ("date", "upper(date(now, K))")])
@pytest.mark.parametrize("where", ["http://127.0.0.1:9/${{ EXPRESSION }}", "${{ EXPRESSION }}"])
def test_function_that_refuses_a_secret_is_named_and_the_secret_is_not(
        where, function, expression, caplog):
    caplog.set_level(logging.DEBUG)
    Secret.objects.create(name="k", value=SLASHED)
    shop = make_instance("shop")
    text = HOST_OR_PORT.replace("'WHERE'", json.dumps(
        where.replace("EXPRESSION", expression.replace("K", "secrets.k"))))

    run = run_of(shop, text)
    trial = try_out(text, make_event(shop), anyway=True)

    told = json.dumps(trial.as_dict(), default=str)
    outcome = EventAction.objects.get(run_id=run.pk)
    for place in (everything_stored(), told, caplog.text):
        assert "canary" not in place.lower() and "9z8y7x" not in place
    for reason in (outcome.reason, run.reason, trial.end, trial.path[0]["reason"],
                   *[seen["error"] for seen in trial.expressions if seen["error"]]):
        assert f"{function} cannot work with what it was given" in reason
        assert reason.endswith("its values are not shown, because a secret is among them")


def test_function_without_a_secret_still_quotes_what_it_refuses(shop):
    run = run_of(shop, HOST_OR_PORT.replace(
        "WHERE", "http://a.example/${{ date(now, event.event_type) }}"))

    assert "date: 'message.text' is not a time zone" in run.reason


def test_bug_of_an_action_that_quotes_a_secret_is_told_without_it():
    Secret.objects.create(name="k", value=CANARY)
    vault = Vault(None)

    def act():
        raise KeyError(vault["k"])

    with pytest.raises(OmniError) as caught:
        without_secrets(vault, act)

    told = "".join(traceback.format_exception(caught.value))
    assert caught.value.message == "KeyError: '[secret]'" and CANARY not in told


def test_bug_whose_cause_quotes_a_secret_is_told_without_it():
    Secret.objects.create(name="k", value=CANARY)
    vault = Vault(None)

    def act():
        try:
            int(vault["k"])
        except ValueError as exc:
            raise RuntimeError("no number") from exc

    with pytest.raises(OmniError) as caught:
        without_secrets(vault, act)

    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_database_that_is_away_is_no_fault_of_a_step_whatever_its_words():
    Secret.objects.create(name="k", value=CANARY)
    vault = Vault(None)

    def act():
        raise OperationalError(f"no connection to {vault['k']}")

    with pytest.raises(OperationalError):
        without_secrets(vault, act)


def test_bug_of_a_call_that_quotes_a_secret_leaves_the_send_unknown_without_it():
    Secret.objects.create(name="k", value=CANARY)
    vault = Vault(None)

    def call(_effect_key):
        raise KeyError(vault["k"])

    facts = masked_facts(vault, {"call": call, "recipient": "", "request": {}})
    with pytest.raises(UnknownOutcome, match="KeyError: '.secret.'"):
        facts["call"]("key")


def test_bug_of_a_call_that_quotes_none_is_told_as_it_is():
    def call(_effect_key):
        raise KeyError("name")

    facts = masked_facts(Vault(None), {"call": call, "recipient": "", "request": {}})
    with pytest.raises(KeyError, match="name"):
        facts["call"]("key")


def test_dry_run_says_what_would_be_sent_without_the_secret(shop):
    trial = try_out(NOTIFY, make_event(shop), anyway=True)

    told = json.dumps(trial.as_dict(), default=str)
    assert trial.state == "done", trial.end
    assert CANARY not in told and "canary-path" not in told and "[secret]" in told


def test_dry_run_names_the_secret_that_is_missing():
    trial = try_out(NOTIFY, make_event(make_instance()), anyway=True)

    assert trial.state == "failed" and "no secret 'address'" in trial.end


@pytest.mark.parametrize("wrong", [
    "url: https://a.example\n      text: ${{ secrets.signing }}",
    "url: https://a.example/${{ secrets }}",
    "url: https://a.example/${{ secrets[event.text] }}"])
def test_secret_is_refused_where_it_would_be_seen_or_chosen_by_others(wrong):
    text = NOTIFY.replace("url: ${{ secrets.address }}\n      text: hello", wrong)

    assert "secret" in [item.code for item in drafts.problems(text)]


@pytest.mark.parametrize("step", [
    "{uses: meta.notify.webhook, with: {url: 'https://a.example', data: {NAME: 1}}}",
    "{uses: meta.notify.webhook, with: {url: 'https://a.example', data: {a: [{NAME: 1}]}}}",
    "{uses: meta.notify.webhook, with: {url: 'https://a.example', NAME: 1}}",
    "{set: {NAME: 1}}", "{set: {a: {NAME: 1}}}",
    "{call: {workflow: other, with: {NAME: 1}}}"])
@pytest.mark.parametrize("name", ["${{ secrets.k }}", "key-${{secrets['k']}}"])
def test_secret_in_a_name_is_refused(step, name):
    text = 'omni: 1\nid: told\ntrigger: [{event: message.text}]\nsteps:\n  - ' + step.replace(
        "NAME", f'"{name}"') + "\n"

    found = [item for item in drafts.problems(text) if item.code == "secret"]

    assert [(item.line, item.severity) for item in found] == [(5, "error")]


def test_expression_in_a_name_is_told_to_be_plain_text():
    text = NOTIFY.replace("text: hello", 'data: {"${{ event.text }}": 1}')

    [warning] = [item for item in drafts.problems(text) if item.severity == "warning"]

    assert (warning.line, warning.code) == (8, "braces")


def test_publishing_warns_of_a_secret_nobody_stored():
    Secret.objects.create(name="address", value="https://a.example")

    [warning] = [item for item in drafts.warnings(NOTIFY) if item.code == "unknown_secret"]

    assert "there is no secret 'signing'" in warning.message and warning.line == 9


def test_publishing_warns_of_a_password_in_an_address():
    text = NOTIFY.replace("${{ secrets.address }}", "https://ana:pass@a.example/x")

    codes = [item.code for item in drafts.warnings(text)]

    assert "password_in_address" in codes


def test_message_that_wakes_a_workflow_is_told_with_a_secret(client, shop, httpserver):
    switch_on(NOTIFY)
    make_event(shop, routed_at=None, direction="inbound")
    work()

    assert Run.objects.get().state == "done" and len(httpserver.log) == 1


def test_api_takes_a_secret_and_shows_its_name_only(shop):
    client = client_of("admin")

    made = post_json(client, "/api/v1/secrets/", {"name": "crm", "value": CANARY})
    listed = client.get("/api/v1/secrets/")
    again = post_json(client, "/api/v1/secrets/", {"name": "crm", "value": "other-value"})
    changed = client.patch(f"/api/v1/secrets/{made.data['id']}/", {"value": "new-value"},
                           format="json")
    renamed = client.patch(f"/api/v1/secrets/{made.data['id']}/", {"name": "x"}, format="json")

    assert (made.status_code, again.status_code, changed.status_code, renamed.status_code) == (
        201, 400, 200, 400)
    assert {row["name"]: row["instance"] for row in listed.data["results"]} == {
        "address": None, "crm": None, "signing": "shop"}
    assert CANARY not in listed.content.decode() + made.content.decode()
    assert Secret.objects.get(name="crm").value == "new-value"


def test_api_shows_a_limited_caller_its_own_secrets_only(shop):
    desk = make_instance("desk")
    client = client_of("admin", instances=[desk])

    everywhere = post_json(client, "/api/v1/secrets/", {"name": "a", "value": "12345678"})
    foreign = post_json(client, "/api/v1/secrets/",
                        {"name": "a", "value": "12345678", "instance": "shop"})
    own = post_json(client, "/api/v1/secrets/",
                    {"name": "a", "value": "12345678", "instance": "desk"})
    listed = client.get("/api/v1/secrets/").data["results"]

    assert (everywhere.status_code, foreign.status_code, own.status_code) == (403, 400, 201)
    assert [row["name"] for row in listed] == ["a"]


def test_stored_value_is_ciphertext(shop):
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM omni_secrets")
        assert all(row[0].startswith("v1:") for row in cursor.fetchall())
