"""Models of the ground."""

from omni.audit import AuditEntry
from omni.config.revision import ConfigRevision
from omni.web.sign_in import SignInTries

__all__ = ["AuditEntry", "ConfigRevision", "SignInTries"]
