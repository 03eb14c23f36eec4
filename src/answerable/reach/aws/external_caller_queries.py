"""Answer questions about callers outside the snapshot: services, other accounts.

They have the permissions that resource policies grant them, and enter roles whose trust
policies admit them.
"""

from collections.abc import Iterator

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.external_callers import (
    ExternalCaller,
    ExternalCallerKind,
    parse_caller,
)
from answerable.reach.aws.compiled.principal_element import (
    get_principal_account,
    parse_session_arn,
)
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.evaluate_principal import (
    find_policy_of_requested_resource,
)
from answerable.reach.aws.evaluation.request import AwsRequest
from answerable.reach.aws.evaluation.resource_policies import ResourceOwnPolicy
from answerable.reach.aws.evaluation.trust_policies import TrustEntry
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.arn_matching import overlaps_arn
from answerable.reach.platform import PathHop


def list_external_callers(
    accounts: CompiledAccounts, call: AwsRequest
) -> Iterator[ExternalCaller]:
    """List the outside callers that resource policies allow a call by name.

    For a pattern these are the policies of all resources that may match it.
    """
    seen: dict[str, None] = {}
    for own in _list_resource_policies_for_call(accounts, call):
        for grant in own.select_statements(call.action):
            if grant.clause.effect is PolicyEffect.ALLOW:
                seen |= dict.fromkeys(_list_principals_named_by_statement(grant.clause))
    for text in seen:
        caller = parse_caller(text, accounts.accounts)
        if caller and not accounts.is_account_collected(caller.account):
            yield caller


def _list_resource_policies_for_call(
    accounts: CompiledAccounts, call: AwsRequest
) -> Iterator[ResourceOwnPolicy]:
    """Yield the resource policies that a call, or its pattern, concerns."""
    if not call.wild:
        own = find_policy_of_requested_resource(accounts, call)
        if own is not None:
            yield own
        return
    service = call.action.partition(":")[0]
    for policy in accounts.holders.values():
        if policy.service == service and any(
            overlaps_arn(parts, call.parts) for parts in policy.spoken_of
        ):
            yield policy


def _list_principals_named_by_statement(clause: CompiledStatement) -> Iterator[str]:
    """Yield the principals that a statement names; `*` for `NotPrincipal`."""
    if clause.not_principals:
        yield "*"
    for _, value in clause.principals:
        yield value


def list_roles_trusting_caller(
    graph: IdentityGraph, caller: ExternalCaller
) -> Iterator[tuple[IdentityId, TrustEntry]]:
    """List the roles whose trust policy admits an outside caller."""
    for role in graph.accounts.trusts:
        for entry in graph.list_external_trust_entries(role):
            if _does_trust_entry_admit_caller(entry, caller):
                yield role, entry


def _does_trust_entry_admit_caller(entry: TrustEntry, caller: ExternalCaller) -> bool:
    """Return whether a trust policy's entry admits an outside caller."""
    match caller.kind:
        case ExternalCallerKind.SERVICE:
            return entry.kind == "Service" and entry.principal == caller.id
        case ExternalCallerKind.PROVIDER:
            return entry.kind == "Federated" and entry.principal == caller.id
        case ExternalCallerKind.ANONYMOUS:
            return entry.kind == "AWS" and entry.principal == "*"
        case ExternalCallerKind.FOREIGN:
            return entry.kind == "AWS" and _does_principal_value_match_caller(
                entry.principal, caller
            )


def _does_principal_value_match_caller(text: str, caller: ExternalCaller) -> bool:
    """Return whether a principal value names a caller, its account or session."""
    if text in ("*", caller.id) or get_principal_account(text) == caller.account:
        return True
    session = parse_session_arn(caller.id)
    role = f":{caller.account}:role/"
    return bool(session and role in text and text.rpartition("/")[2] == session[1])


def build_role_entry_hop(entry: TrustEntry, role: str) -> PathHop:
    """Build the hop by which an outside principal enters a role."""
    return PathHop(
        entry.principal,
        entry.action,
        role,
        entry.answer.formula,
        entry.answer.determining,
    )
