"""Who is limited to some accounts reads in a text of their own no more than elsewhere."""

import json

import pytest

from tests.api_client import client_of, post_json
from tests.factories import make_workflow
from tests.shared_person import FOREIGN_LABEL, FOREIGN_NAME, FOREIGN_NUMBER, shared_person

pytestmark = pytest.mark.django_db
PLAIN = """\
omni: 1
id: peek
trigger: [{event: message.text}]
steps:
  - uses: route.reply
    with: {text: hello}
"""
PEEK = PLAIN.replace("hello", '"${{ contact.name }} ${{ contact.labels }} ${{ contact.handles }}"')
CLAUSE = PLAIN.replace("message.text}", "message.text, where: \"CLAUSE\"}")
GUARD = PLAIN.replace("steps:\n", "steps:\n  - uses: guard.allowlist\n"
                      f"    with: {{handles: ['+{FOREIGN_NUMBER}']}}\n")
SAID = (FOREIGN_NAME, FOREIGN_LABEL, FOREIGN_NUMBER)
CLAUSES = pytest.mark.parametrize("clause", [
    f"contact.name == '{FOREIGN_NAME}'", f"'{FOREIGN_LABEL}' in contact.labels",
    f"'+{FOREIGN_NUMBER}' in contact.handles"])


@pytest.fixture
def person():
    return shared_person()


def asked(person, verb, *, limited, **body):
    slug = make_workflow(PLAIN).slug
    client = client_of("read", "workflows", **({"instances": [person.mine]} if limited else {}))
    answer = post_json(client, f"/api/v1/workflows/{slug}/{verb}/", body)
    assert answer.status_code == 200, answer.content
    return answer.data


@pytest.mark.parametrize("limited", [True, False])
def test_dry_run_shows_of_a_contact_what_the_caller_may_see(person, limited):
    found = json.dumps(asked(person, "dry-run", limited=limited, event=person.own.pk, text=PEEK),
                       default=str)

    assert [word in found for word in SAID] == [not limited] * 3
    assert not limited or "Ana" in found


@CLAUSES
@pytest.mark.parametrize("limited", [True, False])
def test_dry_run_asks_conditions_of_what_the_caller_may_see(person, clause, limited):
    found = asked(person, "dry-run", limited=limited, event=person.own.pk,
                  text=CLAUSE.replace("CLAUSE", clause))

    assert found["matched"] is not limited


@pytest.mark.parametrize("limited", [True, False])
def test_dry_run_of_a_guard_knows_the_handles_the_caller_may_see(person, limited):
    found = asked(person, "dry-run", limited=limited, event=person.own.pk, text=GUARD)

    assert bool(found["sends"]) is not limited, found


@CLAUSES
@pytest.mark.parametrize("limited", [True, False])
def test_backtest_asks_conditions_of_what_the_caller_may_see(person, clause, limited):
    found = asked(person, "backtest", limited=limited, text=CLAUSE.replace("CLAUSE", clause),
                  since="2026-03-01T00:00:00Z", until="2026-03-04T00:00:00Z", instance="mine")

    assert (found["events"], found["matched"]) == (1, 0 if limited else 1)


@pytest.mark.parametrize("limited", [True, False])
def test_key_of_a_gate_is_made_of_what_the_caller_may_see(person, limited):
    text = PLAIN.replace("steps:", "once: {key: contact.name, per: 1h}\nsteps:")

    found = asked(person, "dry-run", limited=limited, event=person.own.pk, text=text)

    assert found["gates"]["once"] == ("Ana" if limited else FOREIGN_NAME)
