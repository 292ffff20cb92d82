"""What starts a run without an event from outside: schedules, people, other workflows, and reruns.

The drain asks `clockwork` every turn; the admin, the API and commands call `manual` and `reruns`,
a `call` step `calls`.
"""
