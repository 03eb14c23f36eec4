"""What was not collected, or not evaluated, and could change this very answer.

What only denies cannot change a `never`, what only allows cannot change an `always`.
"""

from collections.abc import Collection, Iterable, Iterator

from answerable.model.ids import IdentityId
from answerable.reach.estate.clauses import UNCOLLECTED, UNREAD, Gap
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.naming import account_of
from answerable.reach.estate.places import Place
from answerable.reach.estate.principals import Principal
from answerable.reach.estate.services import (
    NO_PERMISSION,
    TRUST_CALLS,
    binds_rcps,
    has_resource_policies,
)
from answerable.reach.questions import Reply
from answerable.reach.rules.rules import RUNNING
from answerable.reach.verdict.formula import Verdict, verdict


def not_collected(
    estate: Estate,
    collected: Collection[str],
    action: str,
    resource: str,
    reply: Reply,
    *,
    direct: bool = False,
) -> Iterator[str]:
    """Name what could change one answer.

    Args:
        estate: The estate.
        collected: Words for the kinds that were collected.
        action: The action asked about, or a pattern.
        resource: The resource asked about, or a pattern.
        reply: The answer.
        direct: Whether the question left paths aside.
    """
    if _is_settled(action, reply):
        return
    held = verdict(reply.formula)
    if held is not Verdict.NEVER:
        yield from _limiting(estate, collected, action, reply)
    elif not direct and _may_take_over(estate, collected, reply):
        yield "running-code"
    if _wants_policy(estate, collected, action, resource):
        yield "resource-policies"
    if action.lower().startswith("s3:"):
        yield from _of_s3(estate, collected, action, resource, reply)
    if _is_foreign(estate, reply):
        yield "identity-policies"
    yield from _unread(reply.gaps)
    yield from _trusts(estate, action, resource, reply)


def _is_settled(action: str, reply: Reply) -> bool:
    """Tell whether no policy of any kind has a part in an answer."""
    if action.lower() in NO_PERMISSION:
        return True
    said = reply.determining
    return bool(said) and all(d.effect == "impossible" for d in said)


def _is_foreign(estate: Estate, reply: Reply) -> bool:
    """Tell whether a subject is an AWS principal outside the snapshot.

    `*` is anybody, without a policy; who enters a role has an account, and policies.
    """
    subject = reply.subject
    if subject in estate.principals:
        return False
    if subject == "*":
        return bool(reply.path)
    named = ":user/" in subject or ":role/" in subject or ":assumed-role/" in subject
    return named or bool(account_of(subject))


def _limiting(
    estate: Estate, collected: Collection[str], action: str, reply: Reply
) -> Iterator[str]:
    actors = _actors(estate, reply)
    if any(_lacks_scps(estate, collected, actor) for actor in actors):
        yield "scp"
    if binds_rcps(action) and _lacks_rcps(estate, collected, reply):
        yield "rcp"
    if estate.endpoint is None:
        yield "endpoint-policies"
    if estate.session is None and reply.actor in estate.trusts:
        yield "session-policies"
    if "boundaries" not in collected:
        yield "boundaries"


def _actors(estate: Estate, reply: Reply) -> list[Principal]:
    """List the identities that act on the way of an answer."""
    names = [hop.to for hop in reply.path] or [reply.subject]
    found = (estate.principals.get(IdentityId(n)) for n in (*names, reply.actor))
    return [principal for principal in found if principal]


def _may_take_over(estate: Estate, collected: Collection[str], reply: Reply) -> bool:
    """Tell whether code that nobody collected could matter: to nobody, it could."""
    if "running-code" in collected:
        return False
    actors = _actors(estate, reply)
    return not actors or any(
        all(actor.matching(need.action.lower()).allows for need in rule.needs)
        for actor in actors
        for rule in RUNNING
    )


def _lacks_scps(
    estate: Estate, collected: Collection[str], principal: Principal
) -> bool:
    """Tell whether SCPs that could bind a principal were not collected."""
    account = estate.accounts.get(principal.identity.account)
    if principal.linked or (account and account.management):
        return False
    if principal.levels:
        return False  # a level that is missing is an open condition
    return "scp" not in collected or account is None or not account.parents


def _lacks_rcps(estate: Estate, collected: Collection[str], reply: Reply) -> bool:
    """Tell whether RCPs that could bind the call were not collected."""
    actor = estate.principals.get(reply.actor)
    if actor and actor.linked:
        return False
    if "rcp" not in collected:
        return True
    account = estate.accounts.get(actor.identity.account) if actor else None
    return account is not None and not (account.parents or account.management)


def _wants_policy(
    estate: Estate, collected: Collection[str], action: str, resource: str
) -> bool:
    """Tell whether the resource may hold a policy of its own that was not collected."""
    if not has_resource_policies(action) or action.lower() in TRUST_CALLS:
        return False
    if action == "*" or _is_pattern(action) or _is_pattern(resource):
        return "resource-policies" not in collected
    if estate.call(action, resource).wild:
        return "resource-policies" not in collected
    return resource != "*" and estate.place(resource).holder not in estate.holders


def _is_pattern(text: str) -> bool:
    return text != "*" and ("*" in text or "?" in text or " " in text)


# Reads that an access control list may allow. Source: Amazon S3 User Guide, "Access
# control list (ACL) overview", "Mapping of ACL permissions and access policy
# permissions".
_ACL_READS = frozenset(
    [
        "s3:getbucketacl",
        "s3:getobject",
        "s3:getobjectacl",
        "s3:getobjectversion",
        "s3:getobjectversionacl",
        "s3:listbucket",
        "s3:listbucketmultipartuploads",
        "s3:listbucketversions",
    ]
)


def _of_s3(
    estate: Estate,
    collected: Collection[str],
    action: str,
    resource: str,
    reply: Reply,
) -> Iterator[str]:
    """Name what S3 asks besides policies when callers come from elsewhere."""
    if _is_pattern(resource) or resource == "*":
        return
    place = estate.place(resource)
    actor = estate.principals.get(reply.actor)
    if actor and place.owner in ("", actor.identity.account):
        return
    held = verdict(reply.formula)
    if held is not Verdict.ALWAYS and action.lower() in _ACL_READS:
        yield "s3-acls"
    unasked = "public-access-block" not in collected and not _has_block(estate, place)
    if held is not Verdict.NEVER and unasked:
        yield "public-access-block"


def _has_block(estate: Estate, place: Place) -> bool:
    """Tell whether it is known what the bucket, or its account, keeps from the public."""
    return place.holder in estate.public_access or place.owner in estate.public_access


_AT = {
    "boundary": "boundaries",
    "trust": "role-trust",
    "scp": "scp",
    "rcp": "rcp",
    "resource": "resource-policies",
}


def _unread(gaps: Iterable[Gap]) -> Iterator[str]:
    for gap in gaps:
        if gap.key == UNCOLLECTED:
            yield _AT.get(gap.layer.value, "identity-policies")
            yield gap.policy


def _trusts(estate: Estate, action: str, resource: str, reply: Reply) -> Iterator[str]:
    roles = [hop.to for hop in reply.path]
    if action.lower() in TRUST_CALLS:
        trust = estate.trusts.get(IdentityId(resource))
        if trust is None or not trust.collected:
            yield "role-trust"
    for role in roles:
        known = estate.trusts.get(IdentityId(role))
        if known and not known.collected:
            yield "role-trust"


def is_partial(replies: Iterable[Reply]) -> bool:
    """Tell whether something that could not be read bears on an answer."""
    return any(gap.key == UNREAD for reply in replies for gap in reply.gaps)
