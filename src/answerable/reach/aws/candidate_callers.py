"""Find the few identities whose policies could allow one call (candidate callers).

A call of one action on one resource is allowed by a statement that the caller holds, or
by the resource policy. An identity that neither matches need not be evaluated.
"""

from collections.abc import Iterator, Set
from heapq import merge
from itertools import groupby

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.service_facts import NO_PERMISSION_ACTIONS
from answerable.reach.aws.compiled.statement_holder_index import (
    IdentityNumbers,
    StatementHolderIndex,
    merge_sorted_number_lists,
)
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    match_resource_element,
)
from answerable.reach.aws.evaluation.conditions import evaluate_block
from answerable.reach.aws.evaluation.evaluate_principal import (
    find_policy_of_requested_resource,
)
from answerable.reach.aws.evaluation.request import AwsRequest
from answerable.reach.aws.evaluation.resource_policies import (
    ResourceOwnPolicy,
    requires_resource_policy,
)
from answerable.reach.condition_formula import FALSE


def list_candidate_callers(
    accounts: CompiledAccounts, action: str, resource: str, start: int = 0
) -> Iterator[tuple[int, IdentityId]]:
    """List the candidate callers of a call in id order, with positions.

    Args:
        accounts: The compiled accounts.
        action: The action.
        resource: An ARN, a pattern, or `*`.
        start: Position to begin at.
    """
    call = accounts.get_cached_request(action, resource)
    if call is not None:
        yield from list_candidate_callers_of_request(accounts, call, start)


def list_candidate_callers_of_request(
    accounts: CompiledAccounts, call: AwsRequest, start: int = 0
) -> Iterator[tuple[int, IdentityId]]:
    """List the candidate callers of a parsed request."""
    holding = accounts.holder_index
    if call.action in NO_PERMISSION_ACTIONS:
        places: Iterator[int] = merge_sorted_number_lists([holding.everyone], start)
    else:
        homes = _find_accounts_able_to_call(accounts, call)
        own = merge_sorted_number_lists(
            _list_holders_of_matching_allow(holding, call), start
        )
        places = merge(
            (place for place in own if homes is None or holding.homes[place] in homes),
            merge_sorted_number_lists(
                _list_callers_named_by_resource_policy(accounts, call), start
            ),
        )
    for place, _ in groupby(places):
        yield place, holding.ids[place]


def _list_holders_of_matching_allow(
    holder_index: StatementHolderIndex, call: AwsRequest
) -> Iterator[IdentityNumbers]:
    """List the identities that hold a statement which may allow the call."""
    yield holder_index.unread
    met: set[CompiledStatement] = set()
    for clause in holder_index.list_statements_allowing_action(
        call.action, call.resource
    ):
        if clause not in met and _may_statement_match_call(clause, call):
            met.add(clause)
            yield holder_index.list_statement_holders(clause)


def _may_statement_match_call(clause: CompiledStatement, call: AwsRequest) -> bool:
    """Return whether a statement may apply to a call for some caller."""
    if match_resource_element(clause, call.parts, call.known) == FALSE:
        return False
    return evaluate_block(clause.conditions, call.known) != FALSE


def _find_accounts_able_to_call(
    accounts: CompiledAccounts, call: AwsRequest
) -> Set[str] | None:
    """Return the accounts whose identities can call; None for any.

    A caller of another account must be named by the resource policy. For KMS keys and
    roles that holds for the own account too.
    """
    own = find_policy_of_requested_resource(accounts, call)
    if call.wild or not call.owner or own is None or own.gaps:
        return None
    found = set() if requires_resource_policy(call) else {call.owner}
    for clause in _list_resource_policy_allows(own, call):
        naming = clause.naming
        if naming.everyone or naming.canonical or clause.not_principals:
            return None
        found |= naming.accounts
    return found


def _list_resource_policy_allows(
    policy: ResourceOwnPolicy, call: AwsRequest
) -> Iterator[CompiledStatement]:
    """List the statements of a resource policy that may allow a call."""
    for grant in policy.select_statements(call.action):
        if grant.clause.effect is PolicyEffect.ALLOW and _may_statement_match_call(
            grant.clause, call
        ):
            yield grant.clause


def _list_callers_named_by_resource_policy(
    accounts: CompiledAccounts, call: AwsRequest
) -> Iterator[IdentityNumbers]:
    """List the identities that the resource policy by itself may allow.

    An identity of another account needs a statement of its own too.
    """
    if call.wild:
        return  # no policy of one resource allows all of a pattern
    holding = accounts.holder_index
    near = (
        holding.list_account_identities(call.owner) if call.owner else holding.everyone
    )
    own = find_policy_of_requested_resource(accounts, call)
    if own is None:
        if requires_resource_policy(call):
            yield near
        return
    if own.gaps:
        yield near
    for clause in _list_resource_policy_allows(own, call):
        everyone = clause.naming.everyone or clause.not_principals
        yield near if everyone else holding.list_named_identities(clause.naming)
