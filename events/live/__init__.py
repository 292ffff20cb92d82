"""The live feed: rows as they are committed, given to every socket that wants them.

Sockets subscribe through `feed`; the web chat's builds on `feed_socket`, and all on `sockets`.
"""
