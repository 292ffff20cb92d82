"""An event meets the workflows: which of them it wakes, and why not the others.

`routing.route` is called by the drain, `matching` by whoever asks what an event would wake.
"""
