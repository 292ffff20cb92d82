"""The built-in web chat: a page of ours and a socket, no outside service.

Source: ours (`/chat/<instance-slug>/`, `/ws/chat/<instance-slug>/`, docs/api.md).
"""
