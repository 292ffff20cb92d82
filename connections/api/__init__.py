"""REST: the configured accounts, the keys of programs, and secrets of workflows.

Addresses are listed in `omni.urls_api`; nothing else is called from outside.
"""
