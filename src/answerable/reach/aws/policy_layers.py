"""List the role of each policy layer (identity, boundary, SCP, ...) in one answer."""

from collections.abc import Collection, Iterator

from answerable.model.documents.shared_shapes import PolicyLayerItem
from answerable.model.ids import IdentityId
from answerable.reach.aws.answer_coverage import list_missing_rcps
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.service_facts import (
    supports_rcps,
    supports_resource_policies,
)
from answerable.reach.aws.query_context import QueryContext
from answerable.reach.aws.subject_queries import ReachAnswer

DECIDED, PASSED, NONE = "decided", "passed", "none"
UNCOLLECTED, UNSTATED, IDLE = "not-collected", "not-stated", "does-not-apply"


# Layers whose missing data is part of the coverage.
_WORDS = {
    "identity": "identity-policies",
    "boundary": "boundaries",
    "scp": "scp",
    "rcp": "rcp",
    "resource": "resource-policies",
}


def list_policy_layer_states(
    query: QueryContext,
    answer: ReachAnswer,
    action: str,
    resource: str,
    missing: Collection[str],
) -> list[PolicyLayerItem]:
    """List for each layer whether it decided, took part or is not known.

    Args:
        action: Queried action.
        resource: Queried resource.
        missing: Coverage words of uncollected data that could change the answer.
    """
    decided = {found.layer for found in answer.determining}
    kinds = {word.partition(" (")[0] for word in missing}
    states = {
        **dict(_list_layer_states_of_actor(query, answer)),
        **dict(_list_scp_layer_states(query, answer)),
        "rcp": _get_rcp_layer_state(query, answer, action, resource),
        **dict(_list_layer_states_of_resource(query, action, resource)),
    }
    for layer, state in states.items():
        if state in (NONE, IDLE) and _WORDS.get(layer) in kinds:
            states[layer] = UNCOLLECTED
        if layer in decided:
            states[layer] = DECIDED
    return [{"layer": layer, "state": state} for layer, state in states.items()]


def _find_acting_principal(
    query: QueryContext, answer: ReachAnswer
) -> CompiledPrincipal | None:
    """Return the compiled identity that acts in an answer, if it was collected."""
    return query.compiled_accounts.principals.get(answer.actor)


def _list_layer_states_of_actor(
    query: QueryContext, answer: ReachAnswer
) -> Iterator[tuple[str, str]]:
    """Yield the state of the identity, boundary and session policies of the actor."""
    actor = _find_acting_principal(query, answer)
    if actor is None:
        named = answer.actor.startswith("arn:")
        yield "identity", UNCOLLECTED if named else IDLE
        return
    yield "identity", PASSED if actor.grants else NONE
    yield "boundary", NONE if actor.boundary is None else PASSED
    session = query.stated.session
    begins = not answer.path or answer.actor == IdentityId(answer.subject)
    if session:
        yield "session", PASSED if begins else IDLE
    else:
        yield "session", UNSTATED if actor.is_role else IDLE


def _list_scp_layer_states(
    query: QueryContext, answer: ReachAnswer
) -> Iterator[tuple[str, str]]:
    """Yield the state of the service control policies of the actor's account."""
    number = get_arn_account(answer.actor)
    account = query.compiled_accounts.accounts.get(number)
    actor = _find_acting_principal(query, answer)
    if (actor and actor.linked) or (account and account.management):
        yield "scp", IDLE
    elif query.compiled_accounts.scp_levels.get(number):
        yield "scp", PASSED
    elif not number:
        yield "scp", IDLE
    else:
        # The position of an account in the organization determines its SCPs.
        whole = query.collected.is_data_kind_collected("scp", number)
        yield "scp", NONE if whole else UNCOLLECTED


def _get_rcp_layer_state(
    query: QueryContext, answer: ReachAnswer, action: str, resource: str
) -> str:
    """Return the state of resource control policies (RCPs), as coverage shows it."""
    estate, actor = query.compiled_accounts, _find_acting_principal(query, answer)
    owner = estate.look_up_resource(resource).owner if "*" not in resource else ""
    account = estate.accounts.get(owner)
    exempt = (actor and actor.linked) or (account and account.management)
    if exempt or not supports_rcps(action):
        return IDLE
    if owner in estate.rcps:
        return PASSED
    missing = any(list_missing_rcps(estate, query.collected, resource, answer))
    return UNCOLLECTED if missing else NONE


def _list_layer_states_of_resource(
    query: QueryContext, action: str, resource: str
) -> Iterator[tuple[str, str]]:
    """Yield the state of the resource policy and the VPC endpoint policy."""
    estate = query.compiled_accounts
    place = estate.look_up_resource(resource) if "*" not in resource else None
    held = estate.holders.get(place.holder) if place else None
    if not supports_resource_policies(action) or resource == "*":
        yield "resource", IDLE
    elif held is None:
        yield "resource", UNCOLLECTED
    else:
        yield "resource", PASSED if held.grants or held.gaps else NONE
    yield "endpoint", PASSED if estate.endpoint else UNSTATED
