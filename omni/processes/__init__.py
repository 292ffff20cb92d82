"""Child processes that do not outlive their parent, and the supervisor that keeps them running.

`manage.py up` becomes `up`, which uses the supervisor; who starts a program of its own uses
`children`.
"""
