"""Compile profiles to a policy of any export target."""

from collections.abc import Collection, Sequence

from answerable.baseline.policy_export.aws_policy import compile_aws_policy
from answerable.baseline.policy_export.aws_profile import (
    CLOUD_SERVER,
    ActionsOfCall,
    AwsProfileCompiler,
)
from answerable.baseline.policy_export.cedar_policy import compile_cedar_policy
from answerable.baseline.policy_export.cloud_roles import (
    compile_azure_roles,
    compile_gcp_roles,
)
from answerable.baseline.policy_export.kubernetes_rbac import compile_kubernetes_rbac
from answerable.baseline.policy_export.mcp_allowlist import compile_mcp_allowlist
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.baseline import BaselineProfile
from answerable.model.policy import Statement
from answerable.model.policy_export import ExportedPolicy, ExportTarget, OmittedClause


def list_called_services(
    profiles: Sequence[BaselineProfile], actions_of_call: ActionsOfCall
) -> set[str]:
    """List the AWS services of the cloud actions in some profiles."""
    prefix = f"{CLOUD_SERVER}/"
    calls = {
        each.tool.removeprefix(prefix)
        for profile in profiles
        for each in profile.capabilities
        if each.tool.startswith(prefix)
    }
    actions = {name for call in calls for name in actions_of_call.get(call, (call,))}
    return {name.partition(":")[0] for name in actions}


def compile_profiles(
    profiles: Sequence[BaselineProfile],
    target: ExportTarget,
    catalogue: ActionCatalogue,
    actions_of_call: ActionsOfCall,
    *,
    is_signed: bool = False,
    any_resource: Collection[str] = (),
) -> ExportedPolicy:
    """Compile profiles of one agent or identity to a policy of a target.

    Args:
        profiles: Profiles of one agent or identity.
        catalogue: Actions of the services that the profiles name.
        actions_of_call: IAM actions of logged calls with another name or several.
        is_signed: Whether the owner signed the profiles; actions that give further
            permissions need it.
        any_resource: IAM actions that a person allows on every resource.
    """
    if target is ExportTarget.CEDAR:
        return compile_cedar_policy(profiles, CLOUD_SERVER)
    if target is ExportTarget.MCP_ALLOWLIST:
        return compile_mcp_allowlist(profiles, CLOUD_SERVER)
    if target is ExportTarget.K8S_RBAC:
        return compile_kubernetes_rbac(profiles, is_signed=is_signed)
    if target is ExportTarget.AZURE:
        return compile_azure_roles(profiles, is_signed=is_signed)
    if target is ExportTarget.GCP:
        return compile_gcp_roles(
            profiles, is_signed=is_signed, any_resource=any_resource
        )
    statements: list[Statement] = []
    omitted: set[OmittedClause] = set()
    for profile in profiles:
        compiler = AwsProfileCompiler(
            profile, catalogue, actions_of_call, is_signed, any_resource
        )
        statements += compiler.list_statements()
        omitted |= compiler.omitted
    return compile_aws_policy(statements, target, omitted)
