"""Models of the ground."""

from omni.audit import AuditEntry
from omni.sign_in import SignInTries

__all__ = ["AuditEntry", "SignInTries"]
