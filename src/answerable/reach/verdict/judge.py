"""One request against an estate: the caller's policies, and the resource's own.

Source: AWS IAM User Guide, "Policy evaluation logic" and "Cross-account policy
evaluation logic"; AWS KMS Developer Guide, "Key policies"; Amazon S3 User Guide,
"Configuring IAM policies for using access points".
"""

from collections.abc import Callable

from answerable.model.ids import IdentityId
from answerable.model.policy import Layer
from answerable.reach.estate.callers import names
from answerable.reach.estate.clauses import UNCOLLECTED
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.places import Door, through
from answerable.reach.estate.principals import Principal
from answerable.reach.estate.public_access import kept_out
from answerable.reach.estate.services import TRUST_CALLS
from answerable.reach.verdict.context import Known
from answerable.reach.verdict.evaluate import decide_knowing, identity_allows
from answerable.reach.verdict.formula import FALSE, TRUE, Formula, atom, both
from answerable.reach.verdict.request import Answer, Determining, Request, Said, Side
from answerable.reach.verdict.sides import (
    Own,
    ResourcePolicy,
    is_required,
    not_collected,
    side_of,
)
from answerable.reach.verdict.wholes import side_of_all


def judged(estate: Estate, principal: Principal, call: Request) -> Answer:
    """Say when a principal may make a call that exists, and by what."""
    is_free = principal.is_free(call.action)
    if is_free is not None:
        return free(call.action, allowed=is_free)
    answer = _decide(estate, principal, call)
    if call.door is None:
        return answer
    known = call.known_to(principal)
    return through_door(
        estate, call, answer, known, lambda inner: _decide(estate, principal, inner)
    )


def _decide(estate: Estate, principal: Principal, call: Request) -> Answer:
    """Ask both sides; across accounts the resource's only if the caller's allows."""
    known = call.known_to(principal)
    far = call.owner and call.owner != principal.identity.account
    if far and identity_allows(principal, call, known) == FALSE:

        def because() -> Said:
            return _both_sides(estate, principal, call, known).determining

        return Answer(FALSE, because, principal.gaps)
    return _both_sides(estate, principal, call, known)


def _both_sides(
    estate: Estate, principal: Principal, call: Request, known: Known
) -> Answer:
    side = side_for(estate, principal, call, known)
    return decide_knowing(principal, call, known, side)


def judged_plainly(estate: Estate, principal: Principal, call: Request) -> Formula:
    """Say when a principal may make a call that exists."""
    return judged(estate, principal, call).formula


def free(action: str, *, allowed: bool) -> Answer:
    """Answer for a call that no policy decides."""
    what, effect = f"{action} needs no permission", "allow"
    if not allowed:
        what, effect = f"{action} takes no session's credentials", "impossible"
    return Answer(
        TRUE if allowed else FALSE, (Determining("catalogue", "", what, effect),)
    )


def through_door(
    estate: Estate,
    call: Request,
    front: Answer,
    known: Known,
    inside: Callable[[Request], Answer],
) -> Answer:
    """Ask the bucket behind an access point, too; the request is one and the same.

    Args:
        estate: The estate.
        call: The request.
        front: What was answered of it at the access point, or of any other resource.
        known: All that is known of it.
        inside: Answers a request on the bucket.
    """
    door = call.door
    if door is None or front.formula == FALSE:
        return front
    if door.behind and not estate.possible(call.action, door.behind):
        return front  # the access point itself is acted on
    if not door.behind:
        return front.under(bucket_unknown(door))
    back = inside(estate.elsewhere(call, door.behind, Known(through(door))))
    return joined(front, back, in_network(door, known))


def joined(front: Answer, back: Answer, network: Formula) -> Answer:
    """Join what an access point and its bucket answer."""
    formula = both(front.formula, back.formula, network)
    decisive = (front, back) if formula != FALSE else (back,)

    def because() -> Said:
        return tuple(dict.fromkeys(d for one in decisive for d in one.determining))

    return Answer(formula, because, tuple(dict.fromkeys((*front.gaps, *back.gaps))))


def bucket_unknown(door: Door) -> Formula:
    """Leave open what a bucket says that is not known."""
    return atom(UNCOLLECTED, "Allows", (f"{door.point}#bucket",))


def in_network(door: Door, known: Known) -> Formula:
    """Say when a request may come through an access point that is bound to a VPC."""
    if not door.network:
        return TRUE
    came = known.get("aws:sourcevpc")
    if came is None:
        return atom("aws:SourceVpc", "StringEquals", (door.network,))
    return TRUE if came == (door.network,) else FALSE


def side_for(
    estate: Estate, principal: Principal, call: Request, known: Known
) -> Side | None:
    """Ask the resource's own policy; None where it has no part in the answer."""
    near = not call.owner or call.owner == principal.identity.account
    if call.wild:
        return side_of_all(
            estate,
            call,
            known,
            lambda clause: names(clause, principal, known),
            near=near,
        )
    own = own_policy(estate, call)
    if own is None:
        if near and not is_required(call):
            return None
        return missing_side(call, near=near)
    side = side_of(own, principal, call, known)
    if not near and isinstance(own, ResourcePolicy):
        return kept_out(estate, own, call, side)
    return side


def own_policy(estate: Estate, call: Request) -> Own | None:
    """Find the policy that speaks of the resource; None where none was collected."""
    if call.action in TRUST_CALLS:
        trust = estate.trusts.get(IdentityId(call.resource))
        return trust if trust and (trust.collected or trust.gaps) else None
    return estate.holders.get(call.holder)


def missing_side(call: Request, *, near: bool) -> Side:
    """Leave open what the resource's own policy says that nobody collected."""
    if call.action in TRUST_CALLS:
        return not_collected(f"{call.resource}#trust", Layer.TRUST, call, near=near)
    return not_collected(f"{call.holder}#policy", Layer.RESOURCE, call, near=near)
