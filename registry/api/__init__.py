"""REST: workflows, versions, bindings, runs, approvals and trials.

Addresses are listed in `omni.urls_api`; nothing else is called from outside.
"""
