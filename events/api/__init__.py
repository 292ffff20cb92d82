"""REST: reading the event store, sending one message, fetching a file, replaying a delivery.

Addresses are listed in `omni.urls_api`; other apps' views use `filters`, `serializers` and the keys
of `messages`, the chat's page the answers of `media`.
"""
