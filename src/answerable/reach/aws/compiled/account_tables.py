"""Tables of compiled accounts; a question reads only the rows it needs.

Statements are written in compiled form, by number; identities, trust and resource
policies refer to them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from answerable.model.action_catalogue import Catalogue
from answerable.model.identity import Account, Identity
from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.inventory import DerivedTables
from answerable.model.policy import ConditionClause, Layer
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.reach.aws.compiled import holder_tables
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.compile_parts import is_plain
from answerable.reach.aws.compiled.holder_tables import StoredHolding
from answerable.reach.aws.compiled.organization_policies import (
    Fence,
    Limit,
    is_service_linked,
)
from answerable.reach.aws.compiled.principals import (
    EVERYTHING_CLAUSE,
    Principal,
    known_of,
)
from answerable.reach.aws.compiled.statements import (
    Clause,
    ClauseText,
    Gap,
    Grant,
    make_clause,
)
from answerable.reach.aws.evaluation.conditions import DecidedClause
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.resource_policies import (
    ResourcePolicy,
    make_policy,
)
from answerable.reach.aws.evaluation.trust import Trust
from answerable.reach.lazy_tables import ReadMapping, ReadSequence, number_key

_Grants = list[tuple[int, str, str]]  # number of the statement, policy, statement id
_Ids = tuple[IdentityId, ...]
Tables = Mapping[str, Iterable[tuple[str, object]]]
Key = TypeVar("Key", bound=str)
Value = TypeVar("Value")


class _Line(msgspec.Struct, array_like=True):
    """Condition line, and whether time has decided it."""

    operator: str
    key: str
    values: tuple[str, ...]
    holds: bool | None = None


class _Clause(msgspec.Struct, array_like=True):
    """Statement text without conditions, and its condition lines."""

    text: ClauseText
    conditions: tuple[_Line, ...]


class _Principal(msgspec.Struct, array_like=True):
    """Principal without the fields derived from its account."""

    identity: Identity
    grants: _Grants
    boundary: _Grants | None
    boundary_id: str
    gaps: tuple[Gap, ...]
    groups: tuple[str, ...]
    policies: tuple[PolicyId, ...]
    collected: bool
    tags_fixed: bool


class _Own(msgspec.Struct, array_like=True):
    """Trust policy of a role, or policy of another resource."""

    account: str
    grants: _Grants
    gaps: tuple[Gap, ...]
    collected: bool = True
    seen: bool = True
    fenced: bool = False


class _Limit(msgspec.Struct, array_like=True):
    """SCP level, or RCPs of an account."""

    target: str
    grants: _Grants
    gaps: tuple[Gap, ...]


class _Head(msgspec.Struct, array_like=True):
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
    levels: tuple[_Limit, ...]
    controls: dict[str, list[int]]
    fences: tuple[_Limit, ...]
    doors: list[ResourceId]
    public_access: tuple[PublicAccessBlock, ...]
    tags_collected: bool
    open_roles: list[IdentityId]


def tables_of(estate: Estate) -> Tables:
    """Encode accounts compiled without a stated policy."""
    levels = {one: None for each in estate.controls.values() for one in each}
    numbers = {level: number for number, level in enumerate(levels)}
    head = _Head(
        clauses=len(estate.clauses),
        inhabited=sorted(estate.inhabited),
        accounts=tuple(estate.accounts.values()),
        levels=tuple(_Limit(o.target, _written(o.grants), o.gaps) for o in levels),
        controls={
            account: [numbers[level] for level in each]
            for account, each in estate.controls.items()
        },
        fences=tuple(
            _Limit(account, _written(fence.denies), fence.gaps)
            for account, fence in estate.fences.items()
        ),
        doors=list(estate.doors),
        public_access=tuple(estate.public_access.values()),
        tags_collected=estate.tags_collected,
        open_roles=list(estate.open_roles),
    )
    clauses = ((number_key(c.number), _clause(c)) for c in estate.clauses)
    return {
        "estate": [("", head)],
        "clauses": clauses,
        "principals": _ascending(estate.principals, _principal),
        "trusts": _ascending(estate.trusts, _trust),
        "holders": _ascending(estate.holders, _holder),
        "groups": _ascending(estate.groups, _written),
        "resources": _ascending(estate.resources, _same),
        "written": sorted(estate.written.items()),
        "by_service": sorted(estate.by_service.items()),
        "by_named": sorted(estate.by_named.items()),
        "by_provider": sorted(estate.by_provider.items()),
        **holder_tables.tables_of(estate.holding),
    }


def _ascending(
    found: Mapping[Key, Value], write: Callable[[Value], object]
) -> Iterator[tuple[str, object]]:
    return ((key, write(found[key])) for key in sorted(found))


def _clause(clause: Clause) -> _Clause:
    lines = tuple(
        _Line(
            operator=line.operator,
            key=line.key,
            values=line.values,
            holds=line.holds if isinstance(line, DecidedClause) else None,
        )
        for line in clause.conditions
    )
    return _Clause(clause.text._replace(conditions=()), lines)


def _line(row: _Line) -> ConditionClause:
    if row.holds is None:
        return ConditionClause(row.operator, row.key, row.values)
    return DecidedClause(row.operator, row.key, row.values, row.holds)


def _written(grants: Iterable[Grant]) -> _Grants:
    return [(grant.clause.number, grant.policy, grant.sid) for grant in grants]


def _same(resource: Resource) -> Resource:
    return resource


def _principal(one: Principal) -> _Principal:
    return _Principal(
        identity=one.identity,
        grants=_written(one.grants),
        boundary=None if one.boundary is None else _written(one.boundary),
        boundary_id=one.boundary_id,
        gaps=one.gaps,
        groups=one.groups,
        policies=one.policies,
        collected=one.collected,
        tags_fixed=bool(one.known.complete),
    )


def _trust(one: Trust) -> _Own:
    return _Own(
        account=one.account,
        grants=_written(one.grants),
        gaps=one.gaps,
        collected=one.collected,
        seen=one.seen,
        fenced=one.fence is not None,
    )


def _holder(one: ResourcePolicy) -> _Own:
    return _Own(one.account, _written(one.grants), one.gaps)


def restore(tables: DerivedTables, catalogue: Catalogue, given: Known) -> Estate:
    """Restore compiled accounts; their parts are read lazily.

    Args:
        tables: Written by `tables_of`.
        catalogue: Services that the question needs.
        given: Condition keys that the question states.
    """
    head = tables.section("estate", _Head)[""]
    read = _Parts(tables, head)
    return Estate(
        catalogue=catalogue,
        clauses=read.clauses,
        principals=ReadMapping(
            tables.section("principals", _Principal), read.principal
        ),
        trusts=ReadMapping(tables.section("trusts", _Own), read.trust),
        groups=ReadMapping(tables.section("groups", _Grants), read.group),
        accounts=read.accounts,
        resources=ReadMapping(tables.section("resources", Resource), read.resource),
        tags_collected=head.tags_collected,
        given=given,
        written=tables.section("written", str),
        by_service=tables.section("by_service", _Ids),
        by_named=tables.section("by_named", _Ids),
        by_provider=tables.section("by_provider", _Ids),
        controls=read.controls,
        fences=read.fences,
        holders=ReadMapping(tables.section("holders", _Own), read.holder),
        doors=read.doors,
        public_access={block.target: block for block in head.public_access},
        _accounts=frozenset(head.inhabited),
        _open_roles=head.open_roles,
        _holding=StoredHolding(tables, read.clauses, EVERYTHING_CLAUSE),
    )


class _Parts:
    """Reader of compiled parts from their rows."""

    def __init__(self, tables: DerivedTables, head: _Head) -> None:
        self._texts = tables.section("clauses", _Clause)
        self.clauses = ReadSequence(head.clauses, self._made)
        self.accounts = {account.id: account for account in head.accounts}
        levels = [
            Limit(Layer.SCP, one.target, self._grants(one.grants, Layer.SCP), one.gaps)
            for one in head.levels
        ]
        self.controls = {
            account: tuple(levels[number] for number in numbers)
            for account, numbers in head.controls.items()
        }
        self.fences = {
            one.target: Fence(one.target, self._grants(one.grants, Layer.RCP), one.gaps)
            for one in head.fences
        }
        resources = tables.section("resources", Resource)
        self.doors = {door: resources[door] for door in head.doors}

    def _made(self, number: int) -> Clause:
        row = self._texts[number_key(number)]
        conditions = tuple(map(_line, row.conditions))
        return make_clause(number, row.text._replace(conditions=conditions))

    def _grants(self, rows: _Grants, layer: Layer) -> tuple[Grant, ...]:
        return tuple(
            Grant(self._clause(number), layer, PolicyId(policy), sid)
            for number, policy, sid in rows
        )

    def _clause(self, number: int) -> Clause:
        return EVERYTHING_CLAUSE if number < 0 else self.clauses[number]

    def principal(self, _: IdentityId, row: _Principal) -> Principal:
        identity = row.identity
        linked = is_service_linked(identity)
        boundary = row.boundary
        return Principal(
            identity=identity,
            grants=self._grants(row.grants, Layer.IDENTITY),
            boundary=(
                None if boundary is None else self._grants(boundary, Layer.BOUNDARY)
            ),
            boundary_id=row.boundary_id,
            gaps=row.gaps,
            known=known_of(identity, self.accounts, tags_fixed=row.tags_fixed),
            groups=row.groups,
            policies=row.policies,
            collected=row.collected,
            levels=() if linked else self.controls.get(identity.account, ()),
            linked=linked,
        )

    def trust(self, role: IdentityId, row: _Own) -> Trust:
        grants = self._grants(row.grants, Layer.TRUST)
        return Trust(
            role=role,
            account=row.account,
            grants=grants,
            gaps=row.gaps,
            collected=row.collected,
            plain=row.collected and not row.gaps and is_plain(grants),
            fence=self.fences.get(row.account) if row.fenced else None,
            seen=row.seen,
        )

    def holder(self, resource: str, row: _Own) -> ResourcePolicy:
        grants = self._grants(row.grants, Layer.RESOURCE)
        return make_policy(resource, row.account, grants, row.gaps)

    def group(self, _: str, rows: _Grants) -> tuple[Grant, ...]:
        return self._grants(rows, Layer.IDENTITY)

    def resource(self, _: ResourceId, row: Resource) -> Resource:
        return row
