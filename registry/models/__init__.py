"""Stored workflows, where they are switched on, their runs and why they ran or did not."""

from registry.models.decision import RoutingDecision
from registry.models.run import Run
from registry.models.trial_job import TrialJob
from registry.models.wait import Approval, Wait
from registry.models.worker import Worker
from registry.models.workflow import Binding, Workflow, WorkflowVersion

__all__ = ["Approval", "Binding", "RoutingDecision", "Run", "TrialJob", "Wait", "Worker",
           "Workflow", "WorkflowVersion"]
