"""Every kind of policy, and the part it has in one answer: none is left unmentioned."""

from collections.abc import Iterator

from answerable.flows.asked import Asked
from answerable.model.document import LayerItem
from answerable.model.ids import IdentityId
from answerable.reach.naming import owner_in
from answerable.reach.principals import Principal
from answerable.reach.questions import Reply
from answerable.reach.services import binds_rcps, has_resource_policies

DECIDED, PASSED, NONE = "decided", "passed", "none"
UNCOLLECTED, UNSTATED, IDLE = "not-collected", "not-stated", "does-not-apply"


def layers_of(
    asked: Asked, reply: Reply, action: str, resource: str
) -> list[LayerItem]:
    """Say of each layer whether it decided, took part, or is not known.

    Args:
        asked: The question's estate.
        reply: The answer.
        action: The action asked about.
        resource: The resource asked about.
    """
    decided = {found.layer for found in reply.determining}
    states = {
        **dict(_of_actor(asked, reply)),
        **dict(_of_account(asked, reply)),
        **dict(_of_resource(asked, action, resource)),
    }
    return [
        {"layer": layer, "state": DECIDED if layer in decided else state}
        for layer, state in states.items()
    ]


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
    elif account is None:
        yield "scp", UNCOLLECTED if number else IDLE
    else:
        yield "scp", NONE if "scp" in asked.collected else UNCOLLECTED


def _of_resource(asked: Asked, action: str, resource: str) -> Iterator[tuple[str, str]]:
    estate = asked.estate
    place = estate.place(resource) if "*" not in resource else None
    owner = place.owner if place else ""
    if not binds_rcps(action):
        yield "rcp", IDLE
    elif owner in estate.fences:
        yield "rcp", PASSED
    else:
        yield "rcp", NONE if "rcp" in asked.collected else UNCOLLECTED
    held = estate.holders.get(place.holder) if place else None
    if not has_resource_policies(action) or resource == "*":
        yield "resource", IDLE
    elif held is None:
        yield "resource", UNCOLLECTED
    else:
        yield "resource", PASSED if held.grants or held.gaps else NONE
    yield "endpoint", PASSED if estate.endpoint else UNSTATED
