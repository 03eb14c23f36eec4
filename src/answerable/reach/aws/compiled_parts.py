"""Compile a large snapshot part by part, and merge the tables of its parts.

A part has the identities and resources of neighbouring accounts. It is compiled, written
and dropped, so that the memory depends on the largest account, not on their number.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from answerable.model.ids import IdentityId, ResourceId
from answerable.model.inventory import DerivedRuns
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk.key_partition import list_condition_keys
from answerable.reach.aws.compiled.account_table_encoding import (
    encode_account_rows,
    encode_accounts_header,
)
from answerable.reach.aws.compiled.account_tables import (
    AccountsHeader,
    LimitingLayerRow,
    StatementRefs,
)
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import get_principal_account
from answerable.reach.aws.compiled.statement_holder_tables import (
    encode_holder_index_of_part,
    merge_holder_indexes,
)
from answerable.reach.aws.compiled.statement_interning import StatementNumbers
from answerable.reach.aws.compiled_graph import (
    SnapshotSummary,
    collect_services_named_by_policies,
    index_policy_attachments,
)
from answerable.reach.aws.condition_keys.self_tagging import (
    list_tag_dependent_policies,
    list_tag_dependent_statements,
)
from answerable.reach.aws.identity_resolution import (
    explain_uncollected_identity,
    is_aws_entity,
)
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.platform import UnknownIdentity
from answerable.reach.unknown_subjects import explain_unclaimed_identity

Tables = Mapping[str, Iterable[tuple[str, object]]]
_Ids = tuple[str, ...]
# Tables with rows of single parts, and with rows that several parts may have.
_OF_ONE_PART = ("clauses", "principals", "trusts", "holders", "resources")
_OF_SEVERAL_PARTS = (
    "by_service",
    "by_named",
    "by_provider",
    "code_by_identity",
    "by_kind",
    "attached",
)


@dataclass(slots=True)
class CompiledParts:
    """Parts of a snapshot that were compiled so far, without their rows.

    Attributes:
        runs: Rows of the parts.
        numbers: Numbers of their statements.
        identities: Number of compiled identities.
    """

    runs: DerivedRuns
    numbers: StatementNumbers = field(default_factory=StatementNumbers)
    identities: int = 0
    _headers: list[AccountsHeader] = field(default_factory=list)
    _outsiders: dict[IdentityId, tuple[str, ...]] = field(default_factory=dict)
    _services: set[str] = field(default_factory=set)
    _keys: set[str] = field(default_factory=set)
    _tagged: dict[tuple[object, ...], int] = field(default_factory=dict)
    _tagged_policies: set[str] = field(default_factory=set)
    _collected: int = 0
    _uncollected: list[tuple[IdentityId, str, bool]] = field(default_factory=list)

    def add(self, facts: SightedFacts, accounts: CompiledAccounts) -> None:
        """Write the tables of the next part, in the order of ids."""
        attached = index_policy_attachments(facts)
        self.runs.add(
            {
                **encode_account_rows(accounts),
                **encode_holder_index_of_part(accounts.holder_index, self.identities),
                "attached": sorted(attached.items()),
            }
        )
        self.identities += len(accounts.principals)
        self._headers.append(encode_accounts_header(accounts))
        self._outsiders |= accounts.list_external_principals_by_role()
        self._services |= collect_services_named_by_policies(facts)
        graph = IdentityGraph(accounts)
        for clause in accounts.clauses:
            self._keys.update(list_condition_keys(clause))
        for clause in list_tag_dependent_statements(graph):
            actions = clause.actions, clause.not_actions
            self._tagged.setdefault(actions, clause.number)
        self._tagged_policies |= list_tag_dependent_policies(graph)
        self._collected += sum(each.collected for each in accounts.principals.values())
        for fact in facts.identities:
            principal = accounts.principals.get(fact.id)
            if principal is None or not principal.collected:
                self._uncollected.append((fact.id, fact.kind, principal is not None))

    def merge(self) -> Tables:
        """Merge the tables of all parts, read while they are written."""
        header = self._merge_headers()
        return {
            "estate": [("", header)],
            **{name: self.runs.merge(name) for name in _OF_ONE_PART},
            "groups": self.runs.combine("groups", StatementRefs, _join_references),
            **{
                name: self.runs.combine(name, _Ids, _join_ids)
                for name in _OF_SEVERAL_PARTS
            },
            "written": sorted(self.numbers.written.items()),
            **merge_holder_indexes(self.runs, self.identities),
            "summary": [("", self._summarize(frozenset(header.inhabited)))],
        }

    def _merge_headers(self) -> AccountsHeader:
        """Merge the headers of all parts."""
        first = self._headers[0]
        inhabited = {each for header in self._headers for each in header.inhabited}
        levels: dict[str, LimitingLayerRow] = {}
        targets: dict[str, list[str]] = {}
        fences: dict[str, LimitingLayerRow] = {}
        doors: dict[ResourceId, None] = {}
        for header in self._headers:
            for account, numbers in header.controls.items():
                rows = [header.levels[number] for number in numbers]
                levels |= {row.target: row for row in rows}
                targets[account] = [row.target for row in rows]
            fences |= {row.target: row for row in header.fences}
            doors |= dict.fromkeys(header.doors)
        numbers_of = {target: number for number, target in enumerate(levels)}
        return AccountsHeader(
            clauses=len(self.numbers),
            inhabited=sorted(inhabited),
            accounts=first.accounts,
            levels=tuple(levels.values()),
            controls={
                account: [numbers_of[target] for target in found]
                for account, found in targets.items()
            },
            fences=tuple(fences.values()),
            doors=list(doors),
            public_access=first.public_access,
            tags_collected=first.tags_collected,
            open_roles=list(self._list_open_roles(inhabited)),
        )

    def _list_open_roles(self, inhabited: set[str]) -> Iterator[IdentityId]:
        """Yield the roles that trust an outsider of the whole snapshot."""
        absent = {
            value
            for value in set(chain.from_iterable(self._outsiders.values()))
            if get_principal_account(value) not in inhabited
        }
        absent -= self.runs.select_keys("principals", absent)
        for role, values in self._outsiders.items():
            if not absent.isdisjoint(values):
                yield role

    def _summarize(self, inhabited: frozenset[str]) -> SnapshotSummary:
        """Summarize the whole snapshot."""
        return SnapshotSummary(
            services=frozenset(self._services),
            keys=frozenset(self._keys),
            tagged=tuple(self._tagged.values()),
            tagged_policies=frozenset(self._tagged_policies),
            collected=self._collected,
            unknown=tuple(self._list_unknown(inhabited)),
        )

    def _list_unknown(self, inhabited: frozenset[str]) -> Iterator[UnknownIdentity]:
        """Yield the identities without permission data.

        An identity that an agent or a credential refers to is a fact of the inventory.
        """
        for identity, kind, is_compiled in self._uncollected:
            if is_aws_entity(identity, kind):
                missing = explain_uncollected_identity(
                    identity,
                    lambda account: bool(account) and account in inhabited,
                    is_compiled=is_compiled,
                )
            else:
                missing = explain_unclaimed_identity(identity, kind)
            yield UnknownIdentity(missing, kind)


def _join_ids(rows: list[_Ids]) -> _Ids:
    """Join lists of ids, each id once."""
    return tuple(dict.fromkeys(chain.from_iterable(rows)))


def _join_references(rows: list[StatementRefs]) -> StatementRefs:
    """Join lists of statements, each statement of a policy once."""
    found: dict[tuple[str, str], list[tuple[int, str, str]]] = defaultdict(list)
    for row in rows:
        fresh = [each for each in row if each[1:] not in found]
        for each in fresh:
            found[each[1:]].append(each)
    return list(chain.from_iterable(found.values()))
