"""PostgreSQL without installing it: the programs of a wheel, run on a folder, watched by us.

Others use `server.EmbeddedPostgres`; settings ask `places` where it listens.
"""
