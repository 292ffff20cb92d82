"""What every request meets: the peer's address, sign-in with its brake, headers, slashes, health.

Settings name the middleware; the front door asks `peer`.
"""
