"""REST: agents, contact lists and tasks.

Addresses are listed in `omni.urls_api`; nothing else is called from outside.
"""
