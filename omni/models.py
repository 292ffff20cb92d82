"""Models of the ground."""

from omni.audit import AuditEntry

__all__ = ["AuditEntry"]
