"""Who and where: conversations with all their addresses, contacts with their handles, and which of
them are one.

The store calls `resolve` of both for every batch; the outbox looks up the place of a send, and
whoever shows a contact asks `known_by` what of it may be seen.
"""
