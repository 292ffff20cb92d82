"""Captured deliveries on disk, and what becomes of them.

`manage.py audit_payloads` calls `audit`; `files` says which files are bodies.
"""
