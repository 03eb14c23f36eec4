"""Compile stored profiles to policies, with the catalogue of AWS actions."""

from collections.abc import Collection, Sequence
from functools import cache

from answerable.baseline.policy_export.aws_profile import ActionsOfCall
from answerable.baseline.policy_export.compile_profiles import (
    compile_profiles,
    list_called_services,
)
from answerable.connectors.cloudtrail.parse.action_names import IAM_ACTION_OF_CALL
from answerable.connectors.iam_catalogue.call_actions import load_call_actions
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.baseline import BaselineProfile
from answerable.model.policy_export import ExportedPolicy, ExportTarget


@cache
def load_actions_of_calls() -> ActionsOfCall:
    """Load the IAM actions of logged calls that have another name or several."""
    own = {call: (action,) for call, action in IAM_ACTION_OF_CALL.items()}
    return {**own, **load_call_actions()}


def export_profiles(
    profiles: Sequence[BaselineProfile],
    target: ExportTarget,
    *,
    is_signed: bool = False,
    any_resource: Collection[str] = (),
) -> ExportedPolicy:
    """Compile profiles of one agent to a policy; refuse rather than widen.

    Args:
        profiles: Profiles of one agent. For AWS, those learned from cloud events
            (`CLOUD_SERVER`) hold the actions.
        is_signed: Whether the owner signed them; AssumeRole, PassRole and writes of IAM
            are omitted otherwise.
        any_resource: IAM actions that a person allows on every resource, since no log
            names the resource.

    Returns:
        The documents, the clauses that they do not contain, and the reasons if there is
        no document.
    """
    calls = load_actions_of_calls()
    catalogue = load_catalogue(list_called_services(profiles, calls))
    return compile_profiles(
        profiles,
        target,
        catalogue,
        calls,
        is_signed=is_signed,
        any_resource=any_resource,
    )
