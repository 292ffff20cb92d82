"""REST: the configured accounts, the keys of programs, and secrets of workflows.

Addresses are listed in `omni.urls_api`; the admin asks `keys.keys_of` which keys a person may
see.
"""
