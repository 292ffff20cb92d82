"""What people stored: drafts, published versions, bindings, their differences, canaries and files.

`drafts`, `publishing` and `bindings` are the only writers of workflows, versions and bindings; the
admin, the API and files all come to them. Everything else here reads, or writes through them.
"""
