"""PostgreSQL without installing it: the programs of a wheel, run on a folder, watched by us.

`server.EmbeddedPostgres` is all that others use.
"""
