"""Encode compiled accounts as tables; see `account_tables` for their rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from answerable.model.resource import Resource
from answerable.reach.aws.compiled import statement_holder_tables
from answerable.reach.aws.compiled.account_tables import (
    AccountsHeader,
    ConditionRow,
    LimitingLayerRow,
    PrincipalRow,
    ResourcePolicyRow,
    StatementRefs,
    StatementRow,
)
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    PolicyStatement,
)
from answerable.reach.aws.evaluation.conditions import DecidedCondition
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.lazy_tables import encode_number_key

TableRows = Iterable[tuple[str, object]]
Tables = Mapping[str, TableRows]
Key = TypeVar("Key", bound=str)
Value = TypeVar("Value")


def encode_account_tables(accounts: CompiledAccounts) -> Tables:
    """Encode compiled accounts, without a stated policy, as storable tables."""
    head = encode_accounts_header(accounts)
    head.open_roles = list(accounts.externally_trusted_roles)
    return {
        "estate": [("", head)],
        **encode_account_rows(accounts),
        "written": sorted(accounts.written.items()),
        **statement_holder_tables.encode_holder_index_tables(accounts.holder_index),
    }


def encode_accounts_header(accounts: CompiledAccounts) -> AccountsHeader:
    """Encode the parts that every question needs, without roles that trust outsiders."""
    levels = {one: None for each in accounts.scp_levels.values() for one in each}
    numbers = {level: number for number, level in enumerate(levels)}
    return AccountsHeader(
        clauses=len(accounts.clauses),
        inhabited=sorted(accounts.collected_accounts),
        accounts=tuple(accounts.accounts.values()),
        levels=tuple(
            LimitingLayerRow(o.target, _encode_references(o.grants), o.gaps)
            for o in levels
        ),
        controls={
            account: [numbers[level] for level in each]
            for account, each in accounts.scp_levels.items()
        },
        fences=tuple(
            LimitingLayerRow(account, _encode_references(fence.denies), fence.gaps)
            for account, fence in accounts.rcps.items()
        ),
        doors=list(accounts.access_points),
        public_access=tuple(accounts.public_access.values()),
        tags_collected=accounts.tags_collected,
        open_roles=[],
    )


def encode_account_rows(accounts: CompiledAccounts) -> dict[str, TableRows]:
    """Encode the statements, identities, policies and resources of accounts."""
    clauses = (
        (encode_number_key(c.number), _encode_statement(c)) for c in accounts.clauses
    )
    return {
        "clauses": clauses,
        "principals": _encode_rows(accounts.principals, _encode_principal_row),
        "trusts": _encode_rows(accounts.trusts, _encode_trust_policy),
        "holders": _encode_rows(accounts.holders, _encode_resource_policy),
        "groups": _encode_rows(accounts.groups, _encode_references),
        "resources": _encode_rows(accounts.resources, _encode_resource),
        "by_service": sorted(accounts.by_service.items()),
        "by_named": sorted(accounts.by_named.items()),
        "by_provider": sorted(accounts.by_provider.items()),
        "code_by_identity": sorted(accounts.code_by_identity.items()),
        "by_kind": sorted(accounts.resources_by_kind.items()),
    }


def _encode_rows(
    values: Mapping[Key, Value], encode_value: Callable[[Value], object]
) -> Iterator[tuple[str, object]]:
    """Yield encoded values as table rows, in the order of their keys."""
    return ((key, encode_value(values[key])) for key in sorted(values))


def _encode_statement(statement: CompiledStatement) -> StatementRow:
    """Encode a statement as its text and its condition lines."""
    lines = tuple(
        ConditionRow(
            operator=line.operator,
            key=line.key,
            values=line.values,
            holds=line.holds if isinstance(line, DecidedCondition) else None,
        )
        for line in statement.conditions
    )
    return StatementRow(statement.source_text._replace(conditions=()), lines)


def _encode_references(statements: Iterable[PolicyStatement]) -> StatementRefs:
    """Encode statements as references: number, policy, statement id."""
    return [(grant.clause.number, grant.policy, grant.sid) for grant in statements]


def _encode_resource(resource: Resource) -> Resource:
    """Return a resource as its own table row."""
    return resource


def _encode_principal_row(principal: CompiledPrincipal) -> PrincipalRow:
    """Encode a principal without what follows from its account."""
    return PrincipalRow(
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


def _encode_trust_policy(trust: RoleTrust) -> ResourcePolicyRow:
    """Encode a role's trust policy as a table row."""
    return ResourcePolicyRow(
        account=trust.account,
        grants=_encode_references(trust.grants),
        gaps=trust.gaps,
        collected=trust.collected,
        seen=trust.seen,
        fenced=trust.rcps is not None,
    )


def _encode_resource_policy(policy: ResourcePolicy) -> ResourcePolicyRow:
    """Encode a resource policy as a table row."""
    return ResourcePolicyRow(
        policy.account, _encode_references(policy.grants), policy.gaps
    )
