"""List the permission rows of a caller outside the snapshot."""

from collections.abc import Iterator

from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.external_callers import (
    ExternalCaller,
    ExternalCallerKind,
    match_principal_to_external_caller,
)
from answerable.reach.aws.compiled.principal_matching import NamingFormulas
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.permission_rows.principal_spans import (
    apply_limits_and_denies_to_row,
)
from answerable.reach.aws.permission_rows.resource_grants import (
    RowCaller,
    list_requested_arn_patterns,
    list_rows_of_resource_policy,
)
from answerable.reach.aws.permission_rows.row_types import PermissionRow, RowFilter
from answerable.reach.aws.permission_rows.statement_spans import (
    LimitingSpans,
    StatementSpan,
    build_limiting_spans,
    list_pattern_pairs_of_statements,
)


def list_rows_granted_to_caller(
    accounts: CompiledAccounts, caller: ExternalCaller, row_filter: RowFilter
) -> Iterator[PermissionRow]:
    """List the permission rows that resource policies grant to a caller."""

    def namer(clause: CompiledStatement) -> NamingFormulas:
        # A pattern of actions may hold one that starts a session.
        found = match_principal_to_external_caller(
            clause, caller, accounts.given, starts_session=True
        )
        if (
            caller.kind is ExternalCallerKind.FOREIGN
            or clause.effect is PolicyEffect.DENY
        ):
            return found
        return [pair for pair in found if pair[0] == "direct"]

    limits, denies = _collect_vpc_endpoint_policy_spans(accounts, caller)
    gaps = accounts.endpoint.gaps if accounts.endpoint else ()
    for own in accounts.holders.values():
        if not own.gaps and not any(namer(grant.clause) for grant in own.grants):
            continue
        for on in list_requested_arn_patterns(own, row_filter):
            exempt = caller.kind is ExternalCallerKind.SERVICE
            asker = RowCaller(
                namer, caller.collect_known_condition_keys(on.pattern), exempt
            )
            for row in list_rows_of_resource_policy(
                accounts, own, on, row_filter, asker
            ):
                yield from apply_limits_and_denies_to_row(
                    accounts, row, limits, denies, gaps + row.gaps
                )


def _collect_vpc_endpoint_policy_spans(
    accounts: CompiledAccounts, caller: ExternalCaller
) -> tuple[tuple[LimitingSpans, ...], tuple[StatementSpan, ...]]:
    """Return the VPC endpoint policy as limits and denies on a caller."""
    if accounts.endpoint is None:
        return (), ()
    known = accounts.given.merge_over(caller.known)
    grants = accounts.endpoint.grants
    spans = list(
        list_pattern_pairs_of_statements(
            grants,
            known,
            lambda clause: match_principal_to_external_caller(clause, caller, known),
        )
    )
    limit = build_limiting_spans(spans, accounts.endpoint.gaps)
    return (limit,), tuple(span for span in spans if span.is_deny)
