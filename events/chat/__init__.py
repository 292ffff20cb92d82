"""The built-in web chat: its socket, and a conversation as its page shows it.

The page and the socket are the only things that use it.
"""
