"""Explain why a subject's permissions are not known, and name the missing source.

For such a subject the absence of an allow proves nothing: the answer is `not-known`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId
from answerable.model.inventory import CredentialEntity, Inventory
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import (
    get_arn_account,
    is_account_number,
)
from answerable.reach.aws.compiled.statements import UNCOLLECTED
from answerable.reach.formula import ConditionAtom, Formula
from answerable.reach.platform import UnknownSubject

AWS = "aws"
_AWS_KEYS = "aws-keys"
_EVERY_ACCOUNT = "arn:aws:iam::*:*"


@dataclass(frozen=True, slots=True)
class Platform:
    """System with identities and permissions, and the patterns of its ids.

    Attributes:
        source: Name of the scan source that supplies its permissions.
        kinds: Prefixes of the kinds of its identities and credentials.
        prefixes: Prefixes of its identities' ids.
        suffixes: Suffixes of the same.
    """

    source: str
    kinds: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()

    def owns_id(self, key: str, kind: str) -> bool:
        """Tell whether an identity or credential belongs to this platform."""
        if kind:
            return kind.startswith(self.kinds)
        return key.startswith(self.prefixes) or key.endswith(self.suffixes)


# Kinds: as the connectors name them. Ids: docs/cli.md, "Ids".
PLATFORMS = (
    Platform(AWS, ("aws",), ("arn:", "cred:aws/")),
    Platform("gcp", ("gcp", "gcloud"), ("gcp:",), (".gserviceaccount.com",)),
    Platform("k8s", ("k8s", "kube"), ("k8s:",)),
    Platform("github", ("github", "gh-"), ("github:",)),
    Platform("entra", ("entra",), ("entra:",)),
    Platform("azure", ("azure", "client-secret"), ("azure:",)),
    Platform("okta", ("okta",), ("okta:",)),
)


def find_source(key: str, kind: str = "") -> str:
    """Return the scan source that supplies an identity, or an empty text."""
    return next((each.source for each in PLATFORMS if each.owns_id(key, kind)), "")


def explain_unknown_identity(
    accounts: CompiledAccounts,
    identity: IdentityId,
    get_facts: Callable[[], Mapping[str, Identity]],
) -> UnknownSubject | None:
    """Explain why an identity's permissions are unknown; None if they are known.

    Args:
        accounts: The compiled accounts.
        identity: Id of the identity.
        get_facts: Returns the identities as sources saw them, by id.
    """
    principal = accounts.principals.get(identity)
    if principal and principal.collected:
        return None
    fact = get_facts().get(identity)
    kind = fact.kind if fact else ""
    source = AWS if is_account_number(identity) else find_source(identity, kind)
    account = identity if is_account_number(identity) else get_arn_account(identity)
    if source != AWS:
        missing = f"no permission data for {kind or source or 'it'}"
        return UnknownSubject(identity, missing, source)
    if account and not accounts.is_account_collected(account):
        return UnknownSubject(identity, f"account {account} was not scanned", AWS)
    if principal or not account:
        return UnknownSubject(identity, _NO_POLICIES, AWS)
    missing = f"the scan of account {account} holds no such identity"
    return UnknownSubject(identity, missing, AWS, absent=True)


_NO_POLICIES = "its identity policies were not collected"


def explain_unknown_credential(
    accounts: CompiledAccounts, entity: CredentialEntity
) -> UnknownSubject:
    """Explain why the identity of a credential is not known."""
    kind = next((each.kind for each in entity.sightings if each.kind), "")
    source = find_source(entity.id) or find_source(entity.id, kind)
    account = next((s.account for s in entity.sightings if s.account), "")
    if source == AWS and (accounts.is_account_collected(account) or not account):
        source = _AWS_KEYS
    return UnknownSubject(entity.id, entity.how or _NO_IDENTITY, source)


_NO_IDENTITY = "no identity is known for it"


def explain_unknown_agent(agent: str) -> UnknownSubject:
    """Explain that no identity of an agent is known."""
    return UnknownSubject(agent, _NO_IDENTITY, "")


def explain_unscanned_platform(accounts: CompiledAccounts) -> UnknownSubject | None:
    """Explain that no account was scanned; None where one was."""
    if accounts.collected_accounts:
        return None
    return UnknownSubject(_EVERY_ACCOUNT, "no AWS account was scanned", AWS)


def rests_on_uncollected_allow(formula: Formula) -> bool:
    """Tell whether every alternative needs an allow that was not collected.

    A call that they could only deny is allowed by other policies.
    """
    return all(any(map(_is_missing_allow, one)) for one in formula)


def _is_missing_allow(atom: ConditionAtom) -> bool:
    """Tell whether an atom stands for an allow that was not collected."""
    return atom.key == UNCOLLECTED and atom.operator == "Allows" and not atom.negated


def list_unknown_identities(
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
        found = explain_unknown_identity(accounts, IdentityId(identity), lambda: facts)
        if found:
            yield found
