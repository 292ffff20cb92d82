"""Everything that goes out: at most once per effect key, within limits, and settled when it is not
known what came of it.

A step's hands call `deliver` (through `registry.engine.run.echo_wait`), the API and the admin too;
routing asks `echoes` whether an event is our own, gates ask `limits`, and the sweep of the workers
settles what `interrupted` finds.
"""
