"""Coverage of one answer: list data not collected or not evaluated that may change it.

A missing deny cannot change a `never`, nor a missing allow an `always`.
"""

from collections.abc import Iterable, Iterator, Set

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect
from answerable.model.role_assignment import PERMISSION_SET, SSO_GROUP
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import (
    get_arn_account,
    get_arn_pattern_part,
    get_principal_account,
)
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.resources import RequestedResource, get_policy_holder
from answerable.reach.aws.compiled.service_facts import (
    NO_PERMISSION_ACTIONS,
    TRUST_POLICY_ACTIONS,
    supports_rcps,
    supports_resource_policies,
)
from answerable.reach.aws.compiled.statements import UNCOLLECTED, UNREAD, PolicyGap
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE
from answerable.reach.aws.paths.identity_edges import is_not_yet_created
from answerable.reach.aws.patterns.glob_matching import decode_glob
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.collection_coverage import ANY_PLACE, CollectedData
from answerable.reach.condition_formula import Verdict, get_verdict

_SERVICE, _REGION, _ACCOUNT = 2, 3, 4  # parts of an ARN


def list_not_collected(
    accounts: CompiledAccounts,
    collected: CollectedData,
    action: str,
    resource: str,
    reply: ReachAnswer,
    *,
    direct: bool = False,
) -> Iterator[str]:
    """List the missing data that could change one answer, each with its account.

    Args:
        collected: Collected data by place.
        action: The action asked about, or a pattern.
        resource: The resource asked about, or a pattern.
        direct: Whether the question left paths aside.
    """
    if not _is_independent_of_policies(action, reply):
        told = _list_missing_data_words(
            accounts, collected, action, resource, reply, direct=direct
        )
        yield from (word for word in told if word)


def _list_missing_data_words(
    accounts: CompiledAccounts,
    collected: CollectedData,
    action: str,
    resource: str,
    reply: ReachAnswer,
    *,
    direct: bool,
) -> Iterator[str]:
    """List coverage words for missing data; empty words where it was collected."""
    held = get_verdict(reply.formula)
    if held is not Verdict.NEVER:
        yield from _list_missing_limits(accounts, collected, action, resource, reply)
    elif not direct:
        from answerable.reach.aws import unmodelled_steps

        yield from _list_uncollected_code(accounts, collected, reply)
        yield from unmodelled_steps.list_unmodelled_path_steps(
            accounts, collected, list_acting_principals(accounts, reply)
        )
        yield from _list_unscanned_accounts(accounts, resource, reply)
    yield from _list_missing_resource_policies(
        accounts, collected, action, resource, reply
    )
    if action.lower().startswith("s3:"):
        yield from _list_missing_s3_data(accounts, action, resource, reply)
    if _is_external_principal(accounts, reply):
        yield "identity-policies"
    yield from _list_uncollected_policy_words(reply.gaps)
    yield from _list_missing_trust_policies(accounts, action, resource, reply)


def _is_independent_of_policies(action: str, reply: ReachAnswer) -> bool:
    """Return whether no policy of any kind can change an answer."""
    if action.lower() in NO_PERMISSION_ACTIONS:
        return True
    said = reply.determining
    return bool(said) and all(d.effect == "impossible" for d in said)


def _is_external_principal(accounts: CompiledAccounts, reply: ReachAnswer) -> bool:
    """Return whether a subject is an AWS principal outside the snapshot.

    `*` has no policies; a principal that enters a role has an account with policies.
    """
    subject = reply.subject
    if subject in accounts.principals:
        return False
    if subject == "*":
        return bool(reply.path)
    named = ":user/" in subject or ":role/" in subject or ":assumed-role/" in subject
    return named or bool(get_principal_account(subject))


def _list_missing_limits(
    accounts: CompiledAccounts,
    collected: CollectedData,
    action: str,
    resource: str,
    reply: ReachAnswer,
) -> Iterator[str]:
    """List missing SCPs, RCPs, boundaries, session and endpoint policies."""
    acting = list_acting_principals(accounts, reply)
    for actor in acting:
        yield _get_missing_scp_word(accounts, collected, actor)
    if supports_rcps(action):
        yield from list_missing_rcps(accounts, collected, resource, reply)
    if accounts.endpoint is None:
        yield "endpoint-policies"
    if accounts.session is None and reply.actor in accounts.trusts:
        yield "session-policies"
    for account in {actor.identity.account for actor in acting}:
        yield collected.name_missing_data("boundaries", account)


def list_acting_principals(
    accounts: CompiledAccounts, reply: ReachAnswer
) -> list[CompiledPrincipal]:
    """List the principals that act for an answer: the subject, and those on its path.

    An identity not yet created acts under the policies of its account.
    """
    names = [reply.subject, *(hop.to for hop in reply.path), reply.actor, *reply.tried]
    found: dict[str, CompiledPrincipal] = {}
    for name in map(IdentityId, names):
        if is_not_yet_created(name):
            from answerable.reach.aws.paths import identity_creation

            found[name] = identity_creation.compile_uncreated_principal(accounts, name)
        elif name in accounts.principals:
            principal = accounts.principals[name]
            if principal.identity.kind not in (PERMISSION_SET, SSO_GROUP):
                found[name] = principal
    return list(found.values())


def _list_uncollected_code(
    accounts: CompiledAccounts, collected: CollectedData, reply: ReachAnswer
) -> Iterator[str]:
    """List running code that was not collected and an actor could take over."""
    from answerable.reach.aws import unmodelled_steps
    from answerable.reach.aws.compiled.saml_providers import SAML_PROVIDER
    from answerable.reach.aws.escalation_rules.registry import TAKEOVER_RULES

    acting = list_acting_principals(accounts, reply)
    places = {
        (actor.identity.account, region)
        for actor in acting
        for rule in TAKEOVER_RULES
        if rule.kind != SAML_PROVIDER  # found in trust policies
        for region in unmodelled_steps.list_regions_where_rule_is_callable(actor, rule)
    }
    if not acting:
        places = {
            (account, ANY_PLACE) for account in _find_caller_accounts(accounts, reply)
        }
    for account, region in places:
        yield collected.name_missing_data(
            unmodelled_steps.RUNNING_CODE, account, region
        )


def _list_unscanned_accounts(
    accounts: CompiledAccounts, resource: str, reply: ReachAnswer
) -> Iterator[str]:
    """List accounts outside the snapshot in which an actor may assume roles.

    Permissions of such roles were not collected. They matter for resources of accounts
    not collected, and for resources whose policy names other accounts.
    """
    if not _may_other_accounts_access_resource(accounts, resource, reply):
        return
    for actor in list_acting_principals(accounts, reply):
        for grant in actor.select_statements(ASSUME_ROLE).allows:
            for pattern in grant.clause.resources or (ANY_PLACE,):
                account = get_arn_pattern_part(decode_glob(pattern), _ACCOUNT)
                if account not in accounts.collected_accounts:
                    where = (
                        f"account {account}"
                        if account != ANY_PLACE
                        else "other accounts"
                    )
                    yield f"identity-policies ({where})"


def _may_other_accounts_access_resource(
    accounts: CompiledAccounts, resource: str, reply: ReachAnswer
) -> bool:
    if not accounts.collected_accounts.issuperset(
        _find_resource_accounts(accounts, resource, reply)
    ):
        return True
    pattern = _strip_exceptions(resource)
    if pattern == "*" or _has_wildcard(pattern):
        return any(map(_allows_other_account, accounts.holders.values()))
    held = accounts.holders.get(accounts.look_up_resource(pattern).holder)
    return held is not None and _allows_other_account(held)


def _allows_other_account(policy: ResourcePolicy) -> bool:
    """Return whether a resource policy allows anything to another account."""
    return any(
        grant.clause.effect is PolicyEffect.ALLOW
        and any(
            kind == "AWS" and get_arn_account(name) != policy.account
            for kind, name in grant.clause.principals
        )
        for grant in policy.grants
    )


def _find_caller_accounts(accounts: CompiledAccounts, reply: ReachAnswer) -> Set[str]:
    """Return the account of the caller; all accounts if there is none."""
    if reply.actor:
        return {get_arn_account(reply.actor)}
    return accounts.collected_accounts


def _get_missing_scp_word(
    accounts: CompiledAccounts, collected: CollectedData, principal: CompiledPrincipal
) -> str:
    """Return the coverage category of missing SCPs of a principal, or an empty text."""
    number = principal.identity.account
    account = accounts.accounts.get(number)
    if principal.linked or (account and account.management):
        return ""
    if principal.levels:
        return ""  # a missing level is an open condition
    return collected.name_missing_data("scp", number)


def list_missing_rcps(
    accounts: CompiledAccounts,
    collected: CollectedData,
    resource: str,
    reply: ReachAnswer,
) -> Iterator[str]:
    """List missing RCPs that could bind the call."""
    actor = accounts.principals.get(reply.actor)
    if actor and actor.linked:
        return
    for number in _find_resource_accounts(accounts, resource, reply):
        account = accounts.accounts.get(number)
        exempt = account is not None and account.management
        if not exempt and number not in accounts.rcps:
            yield collected.name_missing_data("rcp", number)


def _find_resource_accounts(
    accounts: CompiledAccounts, resource: str, reply: ReachAnswer
) -> Set[str]:
    """Return the accounts of a resource; an empty account where it is not known.

    A pattern without an account means the caller's own.
    """
    if resource != "*" and not _has_wildcard(resource):
        return {accounts.look_up_resource(resource).owner}
    named = get_arn_account(_strip_exceptions(resource))
    return {named} if named else _find_caller_accounts(accounts, reply)


def _list_missing_resource_policies(
    accounts: CompiledAccounts,
    collected: CollectedData,
    action: str,
    resource: str,
    reply: ReachAnswer,
) -> Iterator[str]:
    """Yield `resource-policies` if the resource's policy was not collected."""
    if not supports_resource_policies(action) or action.lower() in TRUST_POLICY_ACTIONS:
        return
    pattern = _strip_exceptions(resource)
    if pattern != "*" and not _has_wildcard(get_policy_holder(pattern)):
        if accounts.look_up_resource(pattern).holder not in accounts.holders:
            yield "resource-policies"
        return
    several = action == "*" or _has_wildcard(action)
    if pattern == "*" and not several and not accounts.build_request(action, "*").wild:
        return
    service = get_arn_pattern_part(pattern, _SERVICE)
    if service == ANY_PLACE:
        service = _get_service(action)
    if service != ANY_PLACE and not supports_resource_policies(f"{service}:*"):
        return
    region = "" if service == "s3" else get_arn_pattern_part(pattern, _REGION)
    for account in _find_resource_accounts(accounts, resource, reply):
        yield collected.name_missing_data("resource-policies", account, region, service)


def _get_service(action: str) -> str:
    service, colon, _ = action.lower().partition(":")
    return service if colon and not _has_wildcard(service) else ANY_PLACE


def _strip_exceptions(resource: str) -> str:
    """Return a row's pattern without its exceptions."""
    return resource.partition(" ")[0]


def _has_wildcard(text: str) -> bool:
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


def _list_missing_s3_data(
    accounts: CompiledAccounts, action: str, resource: str, reply: ReachAnswer
) -> Iterator[str]:
    """List missing S3 data besides policies for callers of other accounts."""
    if _has_wildcard(resource) or resource == "*":
        return
    place = accounts.look_up_resource(resource)
    actor = accounts.principals.get(reply.actor)
    if actor and place.owner in ("", actor.identity.account):
        return
    held = get_verdict(reply.formula)
    if held is not Verdict.ALWAYS and action.lower() in _ACL_READS:
        yield "s3-acls"
    if held is not Verdict.NEVER and not _has_public_access_blocks(accounts, place):
        yield "public-access-block"


def _has_public_access_blocks(
    accounts: CompiledAccounts, requested_resource: RequestedResource
) -> bool:
    """Return whether the public-access blocks of bucket and account are known."""
    return {
        requested_resource.holder,
        requested_resource.owner,
    } <= accounts.public_access.keys()


_WORD_BY_LAYER = {
    "boundary": "boundaries",
    "trust": "role-trust",
    "scp": "scp",
    "rcp": "rcp",
    "resource": "resource-policies",
}


def _list_uncollected_policy_words(gaps: Iterable[PolicyGap]) -> Iterator[str]:
    for gap in gaps:
        if gap.key == UNCOLLECTED:
            yield _WORD_BY_LAYER.get(gap.layer.value, "identity-policies")
            yield gap.policy


def _list_missing_trust_policies(
    accounts: CompiledAccounts, action: str, resource: str, reply: ReachAnswer
) -> Iterator[str]:
    roles = [hop.to for hop in reply.path]
    if action.lower() in TRUST_POLICY_ACTIONS:
        trust = accounts.trusts.get(IdentityId(resource))
        if trust is None or not trust.collected:
            yield "role-trust"
    for role in roles:
        known = accounts.trusts.get(IdentityId(role))
        if known and not known.collected:
            yield "role-trust"


def depends_on_unread_statements(replies: Iterable[ReachAnswer]) -> bool:
    """Return whether an answer depends on policy statements that could not be read."""
    return any(gap.key == UNREAD for reply in replies for gap in reply.gaps)
