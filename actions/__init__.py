"""The library of actions a workflow can name."""
