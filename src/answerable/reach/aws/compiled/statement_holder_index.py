"""Index identities by name and by the policy statements they hold."""

import re
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import product

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.compiled.principal_element import PrincipalElement
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import CompiledStatement

_PLAIN = re.compile(r"[*?$]|[^\x00-\x7f]")
_ANY = ""

IdentityNumbers = Sequence[int]  # of identities, in order


class StatementHolderIndex:
    """Index of identities, each by its position in the order of ids.

    Attributes:
        ids: Identity ids, sorted.
        homes: Account of each identity.
        everyone: Position of each identity.
        unread: Identities with unread policies: they may hold any statement.
    """

    def __init__(self, principals: Mapping[IdentityId, CompiledPrincipal]) -> None:
        """Index identities, in order of id."""
        self.ids: Sequence[IdentityId] = tuple(principals)
        self.homes: Sequence[str] = [
            one.identity.account for one in principals.values()
        ]
        self.everyone = range(len(self.ids))
        self.unread = array("I")
        accounts: dict[str, array[int]] = defaultdict(_create_empty_number_array)
        named: dict[str, array[int]] = defaultdict(_create_empty_number_array)
        roles: dict[tuple[str, str], array[int]] = defaultdict(
            _create_empty_number_array
        )
        holders: dict[CompiledStatement, array[int]] = defaultdict(
            _create_empty_number_array
        )
        for number, principal in enumerate(principals.values()):
            identity = principal.identity
            accounts[identity.account].append(number)
            for name in {identity.id, identity.unique_id} - {""}:
                named[name].append(number)
            if principal.is_role:
                roles[identity.account, identity.name].append(number)
            for grant in principal.grants:
                if grant.clause.effect is PolicyEffect.ALLOW:
                    holders[grant.clause].append(number)
            if principal.list_unread_policies_of_layer(PolicyLayer.IDENTITY):
                self.unread.append(number)
        starting: dict[tuple[str, str], list[CompiledStatement]] = defaultdict(list)
        for clause in holders:
            for pair in product(
                clause.services or (_ANY,), _list_literal_resource_prefixes(clause)
            ):
                starting[pair].append(clause)
        self.by_account: Mapping[str, IdentityNumbers] = accounts
        self.by_name: Mapping[str, IdentityNumbers] = named
        self.by_role: Mapping[tuple[str, str], IdentityNumbers] = roles
        self.by_clause: Mapping[CompiledStatement, IdentityNumbers] = holders
        self.by_start: Mapping[tuple[str, str], Sequence[CompiledStatement]] = starting

    def list_statement_holders(self, statement: CompiledStatement) -> IdentityNumbers:
        """List the identities whose policies contain an allow statement."""
        return self.by_clause[statement]

    def list_account_identities(self, account: str) -> IdentityNumbers:
        """List the identities of an account."""
        return self.by_account.get(account, ())

    def list_named_identities(self, element: PrincipalElement) -> IdentityNumbers:
        """List the identities that a Principal element names, sessions included."""
        found = {n for name in element.ids for n in self.by_name.get(name, ())}
        found.update(n for role in element.sessions for n in self.by_role.get(role, ()))
        return sorted(found)

    def list_statements_allowing_action(
        self, action: str, resource: str
    ) -> Iterator[CompiledStatement]:
        """List the statements that may allow an action on one resource or pattern.

        Args:
            action: In lower case.
            resource: ARN or pattern; candidates share a literal prefix with it.
        """
        for service in (action.partition(":")[0], _ANY):
            for length in range(len(resource) + 1):
                for clause in self.by_start.get((service, resource[:length]), ()):
                    if clause.matches_action(action):
                        yield clause


def _create_empty_number_array() -> "array[int]":
    """Create an empty array of unsigned 32-bit numbers."""
    return array("I")


def _list_literal_resource_prefixes(statement: CompiledStatement) -> set[str]:
    """List the literal prefixes of a statement's resource patterns."""
    if not statement.resources:
        return {""}
    return {_PLAIN.split(written, maxsplit=1)[0] for written in statement.resources}


def merge_sorted_number_lists(
    lists: Iterable[IdentityNumbers], start: int = 0
) -> Iterator[int]:
    """Merge sorted lists lazily, from a number on, without duplicates."""
    last = -1
    for number in merge(*(_iterate_sorted_from(numbers, start) for numbers in lists)):
        if number != last:
            yield number
        last = number


def _iterate_sorted_from(numbers: IdentityNumbers, start: int) -> Iterator[int]:
    """Iterate over a sorted list from a number on."""
    for place in range(bisect_left(numbers, start), len(numbers)):
        yield numbers[place]
