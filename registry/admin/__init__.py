"""Admin pages of this app, found by Django's autodiscovery."""

from registry.admin.approvals import ApprovalAdmin
from registry.admin.runs import RoutingDecisionAdmin, RunAdmin
from registry.admin.versions import WorkflowVersionAdmin
from registry.admin.workflows import WorkflowAdmin

__all__ = ["ApprovalAdmin", "RoutingDecisionAdmin", "RunAdmin", "WorkflowAdmin",
           "WorkflowVersionAdmin"]
