"""Resolve AWS identities, and explain which of their permissions are not known."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.compiled.principal_element import (
    get_arn_account,
    is_account_number,
)
from answerable.reach.platform import SubjectIdentity, UnknownSubject

AWS, AWS_KEYS = "aws", "aws-keys"
_PREFIXES = ("arn:", "cred:aws/")
_EVERY_ACCOUNT = "arn:aws:iam::*:*"
_NO_POLICIES = "its identity policies were not collected"


def is_aws_entity(key: str, kind: str = "") -> bool:
    """Return whether an identity, credential or resource belongs to AWS."""
    if is_account_number(key):
        return True
    return kind.startswith(AWS) if kind else key.startswith(_PREFIXES)


def resolve_identity(
    accounts: CompiledAccounts,
    start: SubjectIdentity,
    get_facts: Callable[[], Mapping[str, Identity]],
) -> SubjectIdentity | UnknownSubject:
    """Resolve an identity, with the reason if its policies are not known.

    An outside caller is `*`, a service, an identity provider or a principal of an
    account that was not scanned: resource and trust policies decide.
    """
    caller = parse_caller(start.identity, accounts.accounts)
    if start.identity not in accounts.principals and caller:
        start = replace(start, identity=IdentityId(caller.id))
    if caller and not caller.account:  # anonymous, a service or a provider
        return replace(start, unknown=explain_unscanned_accounts(accounts))
    unknown = explain_unknown_permissions(accounts, start.identity, get_facts)
    if unknown is None or start.identity in accounts.principals:
        return replace(start, unknown=unknown)
    if caller and not accounts.is_account_collected(caller.account):
        return replace(start, unknown=unknown)
    return unknown


def explain_unknown_permissions(
    accounts: CompiledAccounts,
    identity: IdentityId,
    get_facts: Callable[[], Mapping[str, Identity]],
) -> UnknownSubject | None:
    """Explain why an identity's permissions are unknown; None if they are known.

    Args:
        get_facts: Returns the identities as sources saw them, by id.
    """
    principal = accounts.principals.get(identity)
    if principal and principal.collected:
        return None
    fact = get_facts().get(identity)
    kind = fact.kind if fact else ""
    if not is_aws_entity(identity, kind):
        from answerable.reach.unknown_subjects import explain_unclaimed_identity

        return explain_unclaimed_identity(identity, kind)
    return explain_uncollected_identity(
        identity, accounts.is_account_collected, is_compiled=principal is not None
    )


def explain_uncollected_identity(
    identity: IdentityId,
    is_account_collected: Callable[[str], bool],
    *,
    is_compiled: bool,
) -> UnknownSubject:
    """Explain why the permissions of an AWS identity are unknown.

    Args:
        is_compiled: Whether it is a principal of the compiled accounts.
    """
    account = identity if is_account_number(identity) else get_arn_account(identity)
    if account and not is_account_collected(account):
        return UnknownSubject(identity, f"account {account} was not scanned", AWS)
    if is_compiled or not account:
        return UnknownSubject(identity, _NO_POLICIES, AWS)
    missing = f"the scan of account {account} contains no such identity"
    return UnknownSubject(identity, missing, AWS, absent=True)


def explain_unscanned_accounts(accounts: CompiledAccounts) -> UnknownSubject | None:
    """Explain that no account was scanned; None where one was."""
    if accounts.collected_accounts:
        return None
    return UnknownSubject(_EVERY_ACCOUNT, "no AWS account was scanned", AWS)


def list_uncollected_identities(
    accounts: CompiledAccounts, inventory: Inventory
) -> Iterator[UnknownSubject]:
    """List every identity of the inventory whose permissions were not collected."""
    facts = inventory.facts.identities_by_id()
    named = dict.fromkeys(facts)
    for agent in inventory.agents.values():
        named |= dict.fromkeys(agent.identities)
    proved = (each.identity for each in inventory.credentials.values())
    named |= dict.fromkeys(each for each in proved if each)
    for identity in sorted(named):
        found = explain_unknown_permissions(
            accounts, IdentityId(identity), lambda: facts
        )
        if found:
            yield found
