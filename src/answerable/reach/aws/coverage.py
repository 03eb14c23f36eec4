"""Coverage of one answer: data not collected, or not evaluated, that could change it.

A kind of policy that only denies cannot change a `never`; one that only allows cannot
change an `always`.
"""

from collections.abc import Iterable, Iterator, Set

from answerable.model.ids import IdentityId
from answerable.model.policy import Effect
from answerable.model.role_assignment import PERMISSION_SET, SSO_GROUP
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_element import account_of, owner_in
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.resources import Place, holder_of
from answerable.reach.aws.compiled.saml_providers import SAML_PROVIDER
from answerable.reach.aws.compiled.service_facts import (
    NO_PERMISSION,
    TRUST_CALLS,
    binds_rcps,
    has_resource_policies,
)
from answerable.reach.aws.compiled.statements import UNCOLLECTED, UNREAD, Gap
from answerable.reach.aws.escalation_rules.registry import RUNNING
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.trust import ASSUME
from answerable.reach.aws.paths.created_identities import is_made, made_principal
from answerable.reach.aws.patterns.globs import outward
from answerable.reach.aws.unmodelled_steps import CODE, part_of, regions_of, unfollowed
from answerable.reach.collected_data import ANY, Collected
from answerable.reach.formula import Verdict, verdict
from answerable.reach.queries import Reply

_SERVICE, _REGION, _ACCOUNT = 2, 3, 4  # parts of an ARN


def not_collected(
    estate: Estate,
    collected: Collected,
    action: str,
    resource: str,
    reply: Reply,
    *,
    direct: bool = False,
) -> Iterator[str]:
    """List the missing data that could change one answer, each with its account.

    Args:
        estate: The compiled accounts.
        collected: Collected data by place.
        action: The action asked about, or a pattern.
        resource: The resource asked about, or a pattern.
        reply: The answer.
        direct: Whether the question left paths aside.
    """
    if not _is_settled(action, reply):
        told = _told(estate, collected, action, resource, reply, direct=direct)
        yield from (word for word in told if word)


def _told(
    estate: Estate,
    collected: Collected,
    action: str,
    resource: str,
    reply: Reply,
    *,
    direct: bool,
) -> Iterator[str]:
    """List coverage words, with empty ones where the data was collected."""
    held = verdict(reply.formula)
    if held is not Verdict.NEVER:
        yield from _limiting(estate, collected, action, resource, reply)
    elif not direct:
        yield from _running(estate, collected, reply)
        yield from unfollowed(estate, collected, actors(estate, reply))
        yield from _elsewhere(estate, resource, reply)
    yield from _policies(estate, collected, action, resource, reply)
    if action.lower().startswith("s3:"):
        yield from _of_s3(estate, action, resource, reply)
    if _is_foreign(estate, reply):
        yield "identity-policies"
    yield from _unread(reply.gaps)
    yield from _trusts(estate, action, resource, reply)


def _is_settled(action: str, reply: Reply) -> bool:
    """Tell whether no policy of any kind can change an answer."""
    if action.lower() in NO_PERMISSION:
        return True
    said = reply.determining
    return bool(said) and all(d.effect == "impossible" for d in said)


def _is_foreign(estate: Estate, reply: Reply) -> bool:
    """Tell whether a subject is an AWS principal outside the snapshot.

    `*` has no policies; a principal that enters a role has an account with policies.
    """
    subject = reply.subject
    if subject in estate.principals:
        return False
    if subject == "*":
        return bool(reply.path)
    named = ":user/" in subject or ":role/" in subject or ":assumed-role/" in subject
    return named or bool(account_of(subject))


def _limiting(
    estate: Estate, collected: Collected, action: str, resource: str, reply: Reply
) -> Iterator[str]:
    """List missing policies of kinds that only limit."""
    acting = actors(estate, reply)
    for actor in acting:
        yield _lacks_scps(estate, collected, actor)
    if binds_rcps(action):
        yield from lacking_rcps(estate, collected, resource, reply)
    if estate.endpoint is None:
        yield "endpoint-policies"
    if estate.session is None and reply.actor in estate.trusts:
        yield "session-policies"
    for account in {actor.identity.account for actor in acting}:
        yield collected.lacking("boundaries", account)


def actors(estate: Estate, reply: Reply) -> list[Principal]:
    """List the principals that act for an answer: the subject, and those on its path.

    An identity not yet created acts under the policies of its account.
    """
    names = [reply.subject, *(hop.to for hop in reply.path), reply.actor, *reply.tried]
    found: dict[str, Principal] = {}
    for name in map(IdentityId, names):
        if is_made(name):
            found[name] = made_principal(estate, name)
        elif name in estate.principals:
            principal = estate.principals[name]
            if principal.identity.kind not in (PERMISSION_SET, SSO_GROUP):
                found[name] = principal
    return list(found.values())


def _running(estate: Estate, collected: Collected, reply: Reply) -> Iterator[str]:
    """List running code that was not collected and an actor could take over."""
    acting = actors(estate, reply)
    places = {
        (actor.identity.account, region)
        for actor in acting
        for rule in RUNNING
        if rule.kind != SAML_PROVIDER  # found in trust policies
        for region in regions_of(actor, rule)
    }
    if not acting:
        places = {(account, ANY) for account in _accounts(estate, reply)}
    for account, region in places:
        yield collected.lacking(CODE, account, region)


def _elsewhere(estate: Estate, resource: str, reply: Reply) -> Iterator[str]:
    """List accounts outside the snapshot in which an actor may assume roles.

    Permissions of such roles were not collected. They matter for resources of accounts
    not collected, and for resources whose policy names other accounts.
    """
    if not _is_open_to_others(estate, resource, reply):
        return
    for actor in actors(estate, reply):
        for grant in actor.matching(ASSUME).allows:
            for pattern in grant.clause.resources or (ANY,):
                account = part_of(outward(pattern), _ACCOUNT)
                if account not in estate.inhabited:
                    where = f"account {account}" if account != ANY else "other accounts"
                    yield f"identity-policies ({where})"


def _is_open_to_others(estate: Estate, resource: str, reply: Reply) -> bool:
    if not estate.inhabited.issuperset(_owners(estate, resource, reply)):
        return True
    pattern = _less(resource)
    if pattern == "*" or _is_pattern(pattern):
        return any(map(_names_others, estate.holders.values()))
    held = estate.holders.get(estate.place(pattern).holder)
    return held is not None and _names_others(held)


def _names_others(held: ResourcePolicy) -> bool:
    """Tell whether a resource policy allows anything to another account."""
    return any(
        grant.clause.effect is Effect.ALLOW
        and any(
            kind == "AWS" and owner_in(name) != held.account
            for kind, name in grant.clause.principals
        )
        for grant in held.grants
    )


def _accounts(estate: Estate, reply: Reply) -> Set[str]:
    """Return the account of the caller; all accounts if there is none."""
    if reply.actor:
        return {owner_in(reply.actor)}
    return estate.inhabited


def _lacks_scps(estate: Estate, collected: Collected, principal: Principal) -> str:
    """Return the coverage word for missing SCPs of a principal, or an empty text."""
    number = principal.identity.account
    account = estate.accounts.get(number)
    if principal.linked or (account and account.management):
        return ""
    if principal.levels:
        return ""  # a missing level is an open condition
    return collected.lacking("scp", number)


def lacking_rcps(
    estate: Estate, collected: Collected, resource: str, reply: Reply
) -> Iterator[str]:
    """List missing RCPs that could bind the call."""
    actor = estate.principals.get(reply.actor)
    if actor and actor.linked:
        return
    for number in _owners(estate, resource, reply):
        account = estate.accounts.get(number)
        exempt = account is not None and account.management
        if not exempt and number not in estate.fences:
            yield collected.lacking("rcp", number)


def _owners(estate: Estate, resource: str, reply: Reply) -> Set[str]:
    """Return the accounts of a resource; an empty account where it is not known.

    A pattern without an account means the caller's own.
    """
    if resource != "*" and not _is_pattern(resource):
        return {estate.place(resource).owner}
    named = owner_in(_less(resource))
    return {named} if named else _accounts(estate, reply)


def _policies(
    estate: Estate, collected: Collected, action: str, resource: str, reply: Reply
) -> Iterator[str]:
    """List missing resource policies."""
    if not has_resource_policies(action) or action.lower() in TRUST_CALLS:
        return
    pattern = _less(resource)
    if pattern != "*" and not _is_pattern(holder_of(pattern)):
        if estate.place(pattern).holder not in estate.holders:
            yield "resource-policies"
        return
    several = action == "*" or _is_pattern(action)
    if pattern == "*" and not several and not estate.call(action, "*").wild:
        return
    service = part_of(pattern, _SERVICE)
    if service == ANY:
        service = _service_of(action)
    if service != ANY and not has_resource_policies(f"{service}:*"):
        return
    region = "" if service == "s3" else part_of(pattern, _REGION)
    for account in _owners(estate, resource, reply):
        yield collected.lacking("resource-policies", account, region, service)


def _service_of(action: str) -> str:
    service, colon, _ = action.lower().partition(":")
    return service if colon and not _is_pattern(service) else ANY


def _less(resource: str) -> str:
    """Return a row's pattern without its exceptions."""
    return resource.partition(" ")[0]


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


def _of_s3(estate: Estate, action: str, resource: str, reply: Reply) -> Iterator[str]:
    """List missing S3 data besides policies for callers of other accounts."""
    if _is_pattern(resource) or resource == "*":
        return
    place = estate.place(resource)
    actor = estate.principals.get(reply.actor)
    if actor and place.owner in ("", actor.identity.account):
        return
    held = verdict(reply.formula)
    if held is not Verdict.ALWAYS and action.lower() in _ACL_READS:
        yield "s3-acls"
    if held is not Verdict.NEVER and not _has_blocks(estate, place):
        yield "public-access-block"


def _has_blocks(estate: Estate, place: Place) -> bool:
    """Tell whether the public-access blocks of bucket and account are known."""
    return {place.holder, place.owner} <= estate.public_access.keys()


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
    """Tell whether an answer depends on statements that could not be read."""
    return any(gap.key == UNREAD for reply in replies for gap in reply.gaps)
