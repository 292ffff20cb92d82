"""What people stored: drafts, published versions, bindings, their differences, canaries and files.

`store` is the only writer of workflows; everything else here reads.
"""
