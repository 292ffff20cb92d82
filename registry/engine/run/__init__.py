"""One run from its first step to its end: the pure walk (`execution`, `steps`), its hands, and what
it writes.

`runner.advance` is called by the drain; a new kind of step is a module in `steps`.
"""
