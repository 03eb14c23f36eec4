"""Role of each policy layer in one answer; every layer is listed."""

from collections.abc import Collection, Iterator

from answerable.model.documents.core import LayerItem
from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.principal_element import owner_in
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.service_facts import (
    binds_rcps,
    has_resource_policies,
)
from answerable.reach.aws.coverage import lacking_rcps
from answerable.reach.queries import Reply
from answerable.services.reach.query_context import Asked

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


def layers_of(
    asked: Asked, reply: Reply, action: str, resource: str, absent: Collection[str]
) -> list[LayerItem]:
    """List for each layer whether it decided, took part or is not known.

    Args:
        action: Queried action.
        resource: Queried resource.
        absent: Coverage words of uncollected data that could change the answer.
    """
    decided = {found.layer for found in reply.determining}
    kinds = {word.partition(" (")[0] for word in absent}
    states = {
        **dict(_of_actor(asked, reply)),
        **dict(_of_account(asked, reply)),
        "rcp": _of_rcps(asked, reply, action, resource),
        **dict(_of_resource(asked, action, resource)),
    }
    for layer, state in states.items():
        if state in (NONE, IDLE) and _WORDS.get(layer) in kinds:
            states[layer] = UNCOLLECTED
        if layer in decided:
            states[layer] = DECIDED
    return [{"layer": layer, "state": state} for layer, state in states.items()]


def _actor(asked: Asked, reply: Reply) -> Principal | None:
    return asked.estate.principals.get(reply.actor)


def _of_actor(asked: Asked, reply: Reply) -> Iterator[tuple[str, str]]:
    actor = _actor(asked, reply)
    if actor is None:
        named = reply.actor.startswith("arn:")
        yield "identity", UNCOLLECTED if named else IDLE
        return
    yield "identity", PASSED if actor.grants else NONE
    yield "boundary", NONE if actor.boundary is None else PASSED
    session = asked.given.session
    begins = not reply.path or reply.actor == IdentityId(reply.subject)
    if session:
        yield "session", PASSED if begins else IDLE
    else:
        yield "session", UNSTATED if actor.is_role else IDLE


def _of_account(asked: Asked, reply: Reply) -> Iterator[tuple[str, str]]:
    number = owner_in(reply.actor)
    account = asked.estate.accounts.get(number)
    actor = _actor(asked, reply)
    if (actor and actor.linked) or (account and account.management):
        yield "scp", IDLE
    elif asked.estate.controls.get(number):
        yield "scp", PASSED
    elif not number:
        yield "scp", IDLE
    else:
        # The position of an account in the organization determines its SCPs.
        whole = asked.collected.holds("scp", number)
        yield "scp", NONE if whole else UNCOLLECTED


def _of_rcps(asked: Asked, reply: Reply, action: str, resource: str) -> str:
    """Return the state of resource control policies, in agreement with coverage."""
    estate, actor = asked.estate, _actor(asked, reply)
    owner = estate.place(resource).owner if "*" not in resource else ""
    account = estate.accounts.get(owner)
    exempt = (actor and actor.linked) or (account and account.management)
    if exempt or not binds_rcps(action):
        return IDLE
    if owner in estate.fences:
        return PASSED
    missing = any(lacking_rcps(estate, asked.collected, resource, reply))
    return UNCOLLECTED if missing else NONE


def _of_resource(asked: Asked, action: str, resource: str) -> Iterator[tuple[str, str]]:
    estate = asked.estate
    place = estate.place(resource) if "*" not in resource else None
    held = estate.holders.get(place.holder) if place else None
    if not has_resource_policies(action) or resource == "*":
        yield "resource", IDLE
    elif held is None:
        yield "resource", UNCOLLECTED
    else:
        yield "resource", PASSED if held.grants or held.gaps else NONE
    yield "endpoint", PASSED if estate.endpoint else UNSTATED
