"""Everything that goes out: at most once per effect key, within limits, and settled when it is not
known what came of it.

Actions call `deliver.send`; routing asks `echoes` whether an event is our own.
"""
