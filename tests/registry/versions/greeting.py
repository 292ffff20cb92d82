"""A small document to store, publish and bind, and what was noted of it."""

from omni.audit import AuditEntry

TEXT = """\
# Greets people.
omni: 1
id: greet
name: Greet
inputs:
  word: {type: text, default: hello}
trigger:
  - event: message.text
steps:
  - stop: done
"""
BROKEN = TEXT.replace("trigger:", "triger:")
OTHER = TEXT.replace("id: greet", "id: other")


def newer(name):
    return TEXT.replace("name: Greet", f"name: {name}")


def actions_noted():
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
