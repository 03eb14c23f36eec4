"""Evaluation of one request by the caller's policies and the resource policy.

Source: AWS IAM User Guide, "Policy evaluation logic" and "Cross-account policy
evaluation logic"; AWS KMS Developer Guide, "Key policies"; Amazon S3 User Guide,
"Configuring IAM policies for using access points".
"""

from collections.abc import Callable

from answerable.model.ids import IdentityId
from answerable.model.policy import Layer
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_matching import names
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.resources import Door, through
from answerable.reach.aws.compiled.s3_public_access import kept_out
from answerable.reach.aws.compiled.service_facts import TRUST_CALLS
from answerable.reach.aws.compiled.statements import UNCOLLECTED
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.pattern_requests import side_of_all
from answerable.reach.aws.evaluation.policy_layers import (
    decide_knowing,
    identity_allows,
)
from answerable.reach.aws.evaluation.request import (
    Answer,
    Determining,
    Request,
    Said,
    Side,
)
from answerable.reach.aws.evaluation.resource_policies import (
    Own,
    ResourcePolicy,
    is_required,
    not_collected,
    side_of,
)
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both


def judged(estate: Estate, principal: Principal, call: Request) -> Answer:
    """Evaluate a possible call of a principal, with the determining statements."""
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
    """Evaluate both sides; across accounts the resource policy only if needed."""
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
    """Return the formula under which a principal may make a possible call."""
    return judged(estate, principal, call).formula


def free(action: str, *, allowed: bool) -> Answer:
    """Build the result of a call that no policy decides."""
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
    """Evaluate the bucket behind an access point for the same request.

    Args:
        estate: The compiled accounts.
        call: The request.
        front: Result at the access point, or at any other resource.
        known: All known keys.
        inside: Evaluates a request on the bucket.
    """
    door = call.door
    if door is None or front.formula == FALSE:
        return front
    if door.behind and not estate.possible(call.action, door.behind):
        return front  # the call acts on the access point itself
    if not door.behind:
        return front.under(bucket_unknown(door))
    back = inside(estate.elsewhere(call, door.behind, Known(through(door))))
    return joined(front, back, in_network(door, known))


def joined(front: Answer, back: Answer, network: Formula) -> Answer:
    """Combine the results of an access point and its bucket."""
    formula = both(front.formula, back.formula, network)
    decisive = (front, back) if formula != FALSE else (back,)

    def because() -> Said:
        return tuple(dict.fromkeys(d for one in decisive for d in one.determining))

    return Answer(formula, because, tuple(dict.fromkeys((*front.gaps, *back.gaps))))


def bucket_unknown(door: Door) -> Formula:
    """Build the open condition of a bucket that is not known."""
    return atom(UNCOLLECTED, "Allows", (f"{door.point}#bucket",))


def in_network(door: Door, known: Known) -> Formula:
    """Build the condition under which a request may use a VPC's access point."""
    if not door.network:
        return TRUE
    came = known.get("aws:sourcevpc")
    if came is None:
        return atom("aws:SourceVpc", "StringEquals", (door.network,))
    return TRUE if came == (door.network,) else FALSE


def side_for(
    estate: Estate, principal: Principal, call: Request, known: Known
) -> Side | None:
    """Evaluate the resource policy; None where it cannot change the result."""
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
    """Find the resource policy of a call; None where none was collected."""
    if call.action in TRUST_CALLS:
        trust = estate.trusts.get(IdentityId(call.resource))
        return trust if trust and (trust.collected or trust.gaps) else None
    return estate.holders.get(call.holder)


def missing_side(call: Request, *, near: bool) -> Side:
    """Return an open result for a resource policy that was not collected."""
    if call.action in TRUST_CALLS:
        return not_collected(f"{call.resource}#trust", Layer.TRUST, call, near=near)
    return not_collected(f"{call.holder}#policy", Layer.RESOURCE, call, near=near)
