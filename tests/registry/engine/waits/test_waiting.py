"""What an event has to say to a wait that names its fields."""

from registry.engine.waits import waiting


def test_field_too_large_to_be_looked_at_fits_no_wait():
    event = {"content": {"a": [1] * 100_000}}

    assert waiting.digest_of(event, "content") is None
    assert waiting.digest_of({"content": {"a": [1]}}, "content")
