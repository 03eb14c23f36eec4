"""Store compiled accounts as tables, and restore only the rows that a question needs.

Statements are written in compiled form, by number; identities, trust and resource
policies refer to them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.identity import Account, Identity
from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.inventory import DerivedTables
from answerable.model.policy import ConditionClause, PolicyLayer
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import (
    LimitingLayer,
    RcpDenies,
    is_service_linked,
)
from answerable.reach.aws.compiled.principals import (
    FULL_ACCESS_STATEMENT,
    CompiledPrincipal,
    are_unconditional_allows,
    collect_principal_condition_keys,
)
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    PolicyGap,
    PolicyStatement,
    StatementText,
    compile_statement,
)
from answerable.reach.aws.evaluation.conditions import DecidedCondition
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.resource_policies import (
    ResourcePolicy,
    build_resource_policy,
)
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.lazy_tables import LazyMapping, LazySequence, encode_number_key

_StatementRefs = list[
    tuple[int, str, str]
]  # number of the statement, policy, statement id
_IdentityIds = tuple[IdentityId, ...]
Tables = Mapping[str, Iterable[tuple[str, object]]]
Key = TypeVar("Key", bound=str)
Value = TypeVar("Value")


class _ConditionRow(msgspec.Struct, array_like=True):
    """Condition line, and whether time has decided it."""

    operator: str
    key: str
    values: tuple[str, ...]
    holds: bool | None = None


class _StatementRow(msgspec.Struct, array_like=True):
    """Statement text without conditions, and its condition lines."""

    text: StatementText
    conditions: tuple[_ConditionRow, ...]


class _PrincipalRow(msgspec.Struct, array_like=True):
    """Principal without the fields derived from its account."""

    identity: Identity
    grants: _StatementRefs
    boundary: _StatementRefs | None
    boundary_id: str
    gaps: tuple[PolicyGap, ...]
    groups: tuple[str, ...]
    policies: tuple[PolicyId, ...]
    collected: bool
    tags_fixed: bool


class _ResourcePolicyRow(msgspec.Struct, array_like=True):
    """Trust policy of a role, or policy of another resource."""

    account: str
    grants: _StatementRefs
    gaps: tuple[PolicyGap, ...]
    collected: bool = True
    seen: bool = True
    fenced: bool = False


class _LimitingLayerRow(msgspec.Struct, array_like=True):
    """SCP level, or RCPs of an account."""

    target: str
    grants: _StatementRefs
    gaps: tuple[PolicyGap, ...]


class _AccountsHeader(msgspec.Struct, array_like=True):
    """Header of the tables: the parts that every question needs.

    Attributes:
        clauses: Number of statements.
        inhabited: Accounts with collected identities.
        accounts: Known accounts.
        levels: SCP levels.
        controls: By account, the numbers of its levels.
        fences: RCPs of each account.
        doors: Access points.
        public_access: Public-access blocks.
        tags_collected: Whether resource tags were read.
        open_roles: Roles that trust an outsider other than a service.
    """

    clauses: int
    inhabited: list[str]
    accounts: tuple[Account, ...]
    levels: tuple[_LimitingLayerRow, ...]
    controls: dict[str, list[int]]
    fences: tuple[_LimitingLayerRow, ...]
    doors: list[ResourceId]
    public_access: tuple[PublicAccessBlock, ...]
    tags_collected: bool
    open_roles: list[IdentityId]


def encode_account_tables(accounts: CompiledAccounts) -> Tables:
    """Encode compiled accounts, without a stated policy, as storable tables."""
    levels = {one: None for each in accounts.scp_levels.values() for one in each}
    numbers = {level: number for number, level in enumerate(levels)}
    head = _AccountsHeader(
        clauses=len(accounts.clauses),
        inhabited=sorted(accounts.collected_accounts),
        accounts=tuple(accounts.accounts.values()),
        levels=tuple(
            _LimitingLayerRow(o.target, _encode_references(o.grants), o.gaps)
            for o in levels
        ),
        controls={
            account: [numbers[level] for level in each]
            for account, each in accounts.scp_levels.items()
        },
        fences=tuple(
            _LimitingLayerRow(account, _encode_references(fence.denies), fence.gaps)
            for account, fence in accounts.rcps.items()
        ),
        doors=list(accounts.access_points),
        public_access=tuple(accounts.public_access.values()),
        tags_collected=accounts.tags_collected,
        open_roles=list(accounts.externally_trusted_roles),
    )
    clauses = (
        (encode_number_key(c.number), _encode_statement(c)) for c in accounts.clauses
    )
    from answerable.reach.aws.compiled import statement_holder_tables

    return {
        "estate": [("", head)],
        "clauses": clauses,
        "principals": _encode_rows(accounts.principals, _encode_principal_row),
        "trusts": _encode_rows(accounts.trusts, _encode_trust_policy),
        "holders": _encode_rows(accounts.holders, _encode_resource_policy),
        "groups": _encode_rows(accounts.groups, _encode_references),
        "resources": _encode_rows(accounts.resources, _encode_resource),
        "written": sorted(accounts.written.items()),
        "by_service": sorted(accounts.by_service.items()),
        "by_named": sorted(accounts.by_named.items()),
        "by_provider": sorted(accounts.by_provider.items()),
        **statement_holder_tables.encode_holder_index_tables(accounts.holder_index),
    }


def _encode_rows(
    values: Mapping[Key, Value], encode_value: Callable[[Value], object]
) -> Iterator[tuple[str, object]]:
    """Yield encoded values as table rows, in the order of their keys."""
    return ((key, encode_value(values[key])) for key in sorted(values))


def _encode_statement(statement: CompiledStatement) -> _StatementRow:
    """Encode a statement as its text and its condition lines."""
    lines = tuple(
        _ConditionRow(
            operator=line.operator,
            key=line.key,
            values=line.values,
            holds=line.holds if isinstance(line, DecidedCondition) else None,
        )
        for line in statement.conditions
    )
    return _StatementRow(statement.source_text._replace(conditions=()), lines)


def _decode_condition_line(row: _ConditionRow) -> ConditionClause:
    """Decode a condition line, with its fixed result if it has one."""
    if row.holds is None:
        return ConditionClause(row.operator, row.key, row.values)
    return DecidedCondition(row.operator, row.key, row.values, row.holds)


def _encode_references(statements: Iterable[PolicyStatement]) -> _StatementRefs:
    """Encode statements as references: number, policy, statement id."""
    return [(grant.clause.number, grant.policy, grant.sid) for grant in statements]


def _encode_resource(resource: Resource) -> Resource:
    """Return a resource as its own table row."""
    return resource


def _encode_principal_row(principal: CompiledPrincipal) -> _PrincipalRow:
    """Encode a principal without what follows from its account."""
    return _PrincipalRow(
        identity=principal.identity,
        grants=_encode_references(principal.grants),
        boundary=None
        if principal.boundary is None
        else _encode_references(principal.boundary),
        boundary_id=principal.boundary_id,
        gaps=principal.gaps,
        groups=principal.groups,
        policies=principal.policies,
        collected=principal.collected,
        tags_fixed=bool(principal.known.complete),
    )


def _encode_trust_policy(trust: RoleTrust) -> _ResourcePolicyRow:
    """Encode a role's trust policy as a table row."""
    return _ResourcePolicyRow(
        account=trust.account,
        grants=_encode_references(trust.grants),
        gaps=trust.gaps,
        collected=trust.collected,
        seen=trust.seen,
        fenced=trust.rcps is not None,
    )


def _encode_resource_policy(policy: ResourcePolicy) -> _ResourcePolicyRow:
    """Encode a resource policy as a table row."""
    return _ResourcePolicyRow(
        policy.account, _encode_references(policy.grants), policy.gaps
    )


def restore_accounts_from_tables(
    tables: DerivedTables, catalogue: ActionCatalogue, stated_keys: ContextKeys
) -> CompiledAccounts:
    """Restore compiled accounts from tables; rows are read lazily.

    Args:
        tables: Written by `encode_account_tables`.
        catalogue: Services that the question needs.
        stated_keys: Condition keys that the question states.
    """
    head = tables.section("estate", _AccountsHeader)[""]
    read = _AccountsReader(tables, head)
    return CompiledAccounts(
        catalogue=catalogue,
        clauses=read.clauses,
        principals=LazyMapping(
            tables.section("principals", _PrincipalRow), read.read_principal
        ),
        trusts=LazyMapping(
            tables.section("trusts", _ResourcePolicyRow), read.read_trust_policy
        ),
        groups=LazyMapping(tables.section("groups", _StatementRefs), read.read_group),
        accounts=read.accounts,
        resources=LazyMapping(
            tables.section("resources", Resource), read.read_resource_row
        ),
        tags_collected=head.tags_collected,
        given=stated_keys,
        written=tables.section("written", str),
        by_service=tables.section("by_service", _IdentityIds),
        by_named=tables.section("by_named", _IdentityIds),
        by_provider=tables.section("by_provider", _IdentityIds),
        scp_levels=read.controls,
        rcps=read.fences,
        holders=LazyMapping(
            tables.section("holders", _ResourcePolicyRow), read.read_resource_policy_row
        ),
        access_points=read.doors,
        public_access={block.target: block for block in head.public_access},
        _accounts=frozenset(head.inhabited),
        _open_roles=head.open_roles,
        stored_holders=tables,
    )


class _AccountsReader:
    """Reader of compiled parts from their rows."""

    def __init__(self, tables: DerivedTables, header: _AccountsHeader) -> None:
        self._texts = tables.section("clauses", _StatementRow)
        self.clauses = LazySequence(header.clauses, self._compile_stored_statement)
        self.accounts = {account.id: account for account in header.accounts}
        levels = [
            LimitingLayer(
                PolicyLayer.SCP,
                one.target,
                self._read_referenced_statements(one.grants, PolicyLayer.SCP),
                one.gaps,
            )
            for one in header.levels
        ]
        self.controls = {
            account: tuple(levels[number] for number in numbers)
            for account, numbers in header.controls.items()
        }
        self.fences = {
            one.target: RcpDenies(
                one.target,
                self._read_referenced_statements(one.grants, PolicyLayer.RCP),
                one.gaps,
            )
            for one in header.fences
        }
        resources = tables.section("resources", Resource)
        self.doors = {door: resources[door] for door in header.doors}

    def _compile_stored_statement(self, number: int) -> CompiledStatement:
        """Read and compile the statement with a number."""
        row = self._texts[encode_number_key(number)]
        conditions = tuple(map(_decode_condition_line, row.conditions))
        return compile_statement(number, row.text._replace(conditions=conditions))

    def _read_referenced_statements(
        self, rows: _StatementRefs, layer: PolicyLayer
    ) -> tuple[PolicyStatement, ...]:
        """Read the stored statements of (number, policy, Sid) references."""
        return tuple(
            PolicyStatement(self._get_statement(number), layer, PolicyId(policy), sid)
            for number, policy, sid in rows
        )

    def _get_statement(self, number: int) -> CompiledStatement:
        """Return a statement by number; negative for the full-access statement."""
        return FULL_ACCESS_STATEMENT if number < 0 else self.clauses[number]

    def read_principal(self, _: IdentityId, row: _PrincipalRow) -> CompiledPrincipal:
        """Build a compiled principal from its row."""
        identity = row.identity
        linked = is_service_linked(identity)
        boundary = row.boundary
        return CompiledPrincipal(
            identity=identity,
            grants=self._read_referenced_statements(row.grants, PolicyLayer.IDENTITY),
            boundary=(
                None
                if boundary is None
                else self._read_referenced_statements(boundary, PolicyLayer.BOUNDARY)
            ),
            boundary_id=row.boundary_id,
            gaps=row.gaps,
            known=collect_principal_condition_keys(
                identity, self.accounts, tags_fixed=row.tags_fixed
            ),
            groups=row.groups,
            policies=row.policies,
            collected=row.collected,
            levels=() if linked else self.controls.get(identity.account, ()),
            linked=linked,
        )

    def read_trust_policy(self, role: IdentityId, row: _ResourcePolicyRow) -> RoleTrust:
        """Build a role's trust policy from its row."""
        grants = self._read_referenced_statements(row.grants, PolicyLayer.TRUST)
        return RoleTrust(
            role=role,
            account=row.account,
            grants=grants,
            gaps=row.gaps,
            collected=row.collected,
            plain=row.collected and not row.gaps and are_unconditional_allows(grants),
            rcps=self.fences.get(row.account) if row.fenced else None,
            seen=row.seen,
        )

    def read_resource_policy_row(
        self, resource: str, row: _ResourcePolicyRow
    ) -> ResourcePolicy:
        """Build a resource policy from its row."""
        grants = self._read_referenced_statements(row.grants, PolicyLayer.RESOURCE)
        return build_resource_policy(resource, row.account, grants, row.gaps)

    def read_group(self, _: str, rows: _StatementRefs) -> tuple[PolicyStatement, ...]:
        """Read the statements of a group's policies."""
        return self._read_referenced_statements(rows, PolicyLayer.IDENTITY)

    def read_resource_row(self, _: ResourceId, row: Resource) -> Resource:
        """Return the resource of a table row."""
        return row
