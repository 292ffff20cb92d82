"""Actions that steer or start runs, so that a `uses` step can do what else is a kind of step.

They are found when the app is ready; the library below does not know of workflows.
"""
