"""The live feed: rows as they are committed, given to every socket that wants them.

Sockets subscribe through `feed`; nothing else is called from outside.
"""
