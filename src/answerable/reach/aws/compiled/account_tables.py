"""Store compiled accounts as tables, and restore only the rows that a question needs.

Statements are written in compiled form, by number; identities, trust and resource
policies refer to them.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

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

_IdentityIds = tuple[IdentityId, ...]
_ResourceIds = tuple[ResourceId, ...]
StatementRefs = list[tuple[int, str, str]]  # number of the statement, policy, its Sid
Tables = Mapping[str, Iterable[tuple[str, object]]]
Key = TypeVar("Key", bound=str)
Value = TypeVar("Value")


class ConditionRow(msgspec.Struct, array_like=True):
    """Condition line, and whether time has decided it."""

    operator: str
    key: str
    values: tuple[str, ...]
    holds: bool | None = None


class StatementRow(msgspec.Struct, array_like=True):
    """Statement text without conditions, and its condition lines."""

    text: StatementText
    conditions: tuple[ConditionRow, ...]


class PrincipalRow(msgspec.Struct, array_like=True):
    """Principal without the fields derived from its account."""

    identity: Identity
    grants: StatementRefs
    boundary: StatementRefs | None
    boundary_id: str
    gaps: tuple[PolicyGap, ...]
    groups: tuple[str, ...]
    policies: tuple[PolicyId, ...]
    collected: bool
    tags_fixed: bool


class ResourcePolicyRow(msgspec.Struct, array_like=True):
    """Trust policy of a role, or policy of another resource."""

    account: str
    grants: StatementRefs
    gaps: tuple[PolicyGap, ...]
    collected: bool = True
    seen: bool = True
    fenced: bool = False


class LimitingLayerRow(msgspec.Struct, array_like=True):
    """SCP level, or RCPs of an account."""

    target: str
    grants: StatementRefs
    gaps: tuple[PolicyGap, ...]


class AccountsHeader(msgspec.Struct, array_like=True):
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
    levels: tuple[LimitingLayerRow, ...]
    controls: dict[str, list[int]]
    fences: tuple[LimitingLayerRow, ...]
    doors: list[ResourceId]
    public_access: tuple[PublicAccessBlock, ...]
    tags_collected: bool
    open_roles: list[IdentityId]


def _decode_condition_line(row: ConditionRow) -> ConditionClause:
    """Decode a condition line, with its fixed result if it has one."""
    if row.holds is None:
        return ConditionClause(row.operator, row.key, row.values)
    return DecidedCondition(row.operator, row.key, row.values, row.holds)


def restore_accounts_from_tables(
    tables: DerivedTables,
    catalogue: ActionCatalogue,
    stated_keys: ContextKeys,
) -> CompiledAccounts:
    """Restore compiled accounts from tables; rows are read lazily.

    Args:
        tables: Written by `encode_account_tables`.
        catalogue: Services that the question needs.
        stated_keys: Condition keys that the question states.
    """
    head = tables.section("estate", AccountsHeader)[""]
    read = _AccountsReader(tables, head)
    return CompiledAccounts(
        catalogue=catalogue,
        clauses=read.clauses,
        principals=LazyMapping(
            tables.section("principals", PrincipalRow), read.read_principal
        ),
        trusts=LazyMapping(
            tables.section("trusts", ResourcePolicyRow), read.read_trust_policy
        ),
        groups=LazyMapping(tables.section("groups", StatementRefs), read.read_group),
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
        code_by_identity=cast(
            "Mapping[IdentityId, _ResourceIds]",
            tables.section("code_by_identity", _ResourceIds),
        ),
        resources_by_kind=tables.section("by_kind", _ResourceIds),
        scp_levels=read.controls,
        rcps=read.fences,
        holders=LazyMapping(
            tables.section("holders", ResourcePolicyRow), read.read_resource_policy_row
        ),
        access_points=read.doors,
        public_access={block.target: block for block in head.public_access},
        _accounts=frozenset(head.inhabited),
        _open_roles=head.open_roles,
        stored_holders=tables,
    )


class _AccountsReader:
    """Reader of compiled parts from their rows."""

    def __init__(self, tables: DerivedTables, header: AccountsHeader) -> None:
        self._texts = tables.section("clauses", StatementRow)
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
        self, rows: StatementRefs, layer: PolicyLayer
    ) -> tuple[PolicyStatement, ...]:
        """Read the stored statements of (number, policy, Sid) references."""
        return tuple(
            PolicyStatement(self._get_statement(number), layer, PolicyId(policy), sid)
            for number, policy, sid in rows
        )

    def _get_statement(self, number: int) -> CompiledStatement:
        """Return a statement by number; negative for the full-access statement."""
        return FULL_ACCESS_STATEMENT if number < 0 else self.clauses[number]

    def read_principal(self, _: IdentityId, row: PrincipalRow) -> CompiledPrincipal:
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

    def read_trust_policy(self, role: IdentityId, row: ResourcePolicyRow) -> RoleTrust:
        """Build a role's trust policy from its row."""
        grants = self._read_referenced_statements(row.grants, PolicyLayer.TRUST)
        gaps = row.gaps
        return RoleTrust(
            role=role,
            account=row.account,
            grants=grants,
            gaps=gaps,
            collected=row.collected,
            plain=row.collected and not gaps and are_unconditional_allows(grants),
            rcps=self.fences.get(row.account) if row.fenced else None,
            seen=row.seen,
        )

    def read_resource_policy_row(
        self, resource: str, row: ResourcePolicyRow
    ) -> ResourcePolicy:
        """Build a resource policy from its row."""
        grants = self._read_referenced_statements(row.grants, PolicyLayer.RESOURCE)
        gaps = row.gaps
        return build_resource_policy(resource, row.account, grants, gaps)

    def read_group(self, _: str, rows: StatementRefs) -> tuple[PolicyStatement, ...]:
        """Read the statements of a group's policies."""
        return self._read_referenced_statements(rows, PolicyLayer.IDENTITY)

    def read_resource_row(self, _: ResourceId, row: Resource) -> Resource:
        """Return the resource of a table row."""
        return row
