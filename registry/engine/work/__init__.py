"""Who does it when: the runs table as a queue, and the workers that empty it.

`manage.py omni_worker` starts `worker_cluster`; the rest of the engine calls `queue`.
"""
