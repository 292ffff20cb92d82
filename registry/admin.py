"""Admin pages of this app, found by Django's autodiscovery."""

from registry.admin_approvals import ApprovalAdmin
from registry.admin_runs import RoutingDecisionAdmin, RunAdmin
from registry.admin_versions import WorkflowVersionAdmin
from registry.admin_workflows import WorkflowAdmin

__all__ = ["ApprovalAdmin", "RoutingDecisionAdmin", "RunAdmin", "WorkflowAdmin",
           "WorkflowVersionAdmin"]
