"""Cut compiled accounts into batches of whole accounts.

A batch has some identities of the accounts, with the resources of all; rules of paths act
on those of the accounts alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, groupby

from answerable.model.ids import IdentityId, ResourceId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.resource_indexes import format_kind_key
from answerable.reach.aws.compiled.trust_index import (
    index_roles_by_trusted_key,
    list_trusted_identity_providers,
    list_trusted_principals,
    list_trusted_services,
)
from answerable.reach.aws.escalation_rules.registry import RESOURCE_KINDS


@dataclass(slots=True)
class AccountBatch:
    """Identities of whole accounts."""

    names: list[IdentityId] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)
    members: set[IdentityId] = field(default_factory=set)

    def add_account(self, account: str, names: Sequence[IdentityId]) -> None:
        """Add the identities of an account."""
        self.names += names
        self.members |= set(names)
        self.accounts.add(account)


def cut_into_batches(
    principals: Mapping[IdentityId, CompiledPrincipal],
    size: int,
    spread_accounts: Iterable[str],
) -> Iterator[AccountBatch]:
    """Yield batches of whole accounts, in the order of ids.

    Args:
        principals: By id, sorted.
        size: Most identities of a batch, unless one account has more.
        spread_accounts: See `list_spread_accounts`.
    """
    spread: dict[str, list[IdentityId]] = {each: [] for each in spread_accounts}
    batch = AccountBatch()
    for account, found in chain(_iterate_runs(principals, spread), spread.items()):
        if batch.names and len(batch.names) + len(found) > size:
            yield batch
            batch = AccountBatch()
        batch.add_account(account, found)
    if batch.names:
        yield batch


def _iterate_runs(
    principals: Mapping[IdentityId, CompiledPrincipal],
    spread: Mapping[str, list[IdentityId]],
) -> Iterator[tuple[str, list[IdentityId]]]:
    """Yield accounts with their identities; collect those of spread accounts."""
    for account, names in groupby(principals, key=partial(_get_account, principals)):
        if account in spread:
            spread[account].extend(names)
        else:
            yield account, list(names)


def restrict_to_identities(
    accounts: CompiledAccounts, names: Sequence[IdentityId], groups: Sequence[str]
) -> CompiledAccounts:
    """Restrict compiled accounts to some identities, whose paths are followed.

    All resources can be looked up; those that rules of paths list are the ones of the
    identities' accounts, and those that run as one of the identities.

    Args:
        names: Sorted.
        groups: Groups of the accounts of these identities.
    """
    members = frozenset(names)
    trusts = {each: accounts.trusts[each] for each in names if each in accounts.trusts}
    principals = {each: accounts.principals[each] for each in names}
    code_by_identity = {
        each: accounts.code_by_identity[each]
        for each in names
        if each in accounts.code_by_identity
    }
    resources = {
        key: accounts.resources[key]
        for key in chain(
            _list_resources_of_accounts(
                accounts, {each.identity.account for each in principals.values()}
            ),
            *code_by_identity.values(),
        )
    }
    return replace(
        accounts,
        principals=principals,
        trusts=trusts,
        groups={each: accounts.groups[each] for each in groups},
        by_service=index_roles_by_trusted_key(list_trusted_services(trusts.values())),
        by_named=index_roles_by_trusted_key(list_trusted_principals(trusts.values())),
        by_provider=index_roles_by_trusted_key(
            list_trusted_identity_providers(trusts.values())
        ),
        code_by_identity=code_by_identity,
        stored_holders=None,
        _takeover_resources=tuple(resources.values()),
        _accounts=accounts.collected_accounts,
        _open_roles=[
            each for each in accounts.externally_trusted_roles if each in members
        ],
        _holding=None,
    )


def _list_resources_of_accounts(
    accounts: CompiledAccounts, numbers: Iterable[str]
) -> Iterator[ResourceId]:
    """Yield the resources of some accounts that rules of paths act on."""
    for number in numbers:
        for kind in RESOURCE_KINDS:
            key = format_kind_key(kind, number)
            yield from accounts.resources_by_kind.get(key, ())


def _get_account(
    principals: Mapping[IdentityId, CompiledPrincipal], name: IdentityId
) -> str:
    """Return the account of an identity, by its ARN if that names one."""
    return get_arn_account(name) or principals[name].identity.account


def list_spread_accounts(
    principals: Mapping[IdentityId, CompiledPrincipal],
) -> frozenset[str]:
    """List the accounts whose identities are not neighbours in the order of ids."""
    runs = Counter(
        account
        for account, _ in groupby(principals, key=partial(_get_account, principals))
    )
    return frozenset(account for account, count in runs.items() if count > 1)


def group_names_by_account(groups: Iterable[str]) -> Mapping[str, list[str]]:
    """Group the ids of IAM groups by their account."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in groups:
        found[get_arn_account(name)].append(name)
    return found


def list_named_identities(
    accounts: CompiledAccounts, names: Sequence[IdentityId]
) -> Iterator[IdentityId]:
    """Yield the known identities that trust policies name: they are no outsiders."""
    for name in names:
        trust = accounts.trusts.get(name)
        for grant in trust.grants if trust else ():
            for kind, value in grant.clause.principals:
                if kind == "AWS" and IdentityId(value) in accounts.principals:
                    yield IdentityId(value)
