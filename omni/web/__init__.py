"""What every request meets: the bridge from ASGI, the peer's address, sign-in with its brake,
headers, slashes, health.

Settings name the middleware; `omni.asgi` builds on `bridge`, the front door asks `peer`.
"""
