"""List one principal's permission rows: its statements, less limits and denies.

Rows are the statements' patterns, narrowed by filters, by every limiting layer and by
denies. Resource policies may deny parts of them, and add rows.
"""

from collections.abc import Iterator, Sequence

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.evaluation.request import describe_gap
from answerable.reach.aws.patterns.arn_matching import ArnParts
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    PatternTerm,
    covers,
)
from answerable.reach.aws.permission_rows.principal_spans import (
    PrincipalSpans,
    apply_limits_and_denies_to_row,
    collect_principal_spans,
)
from answerable.reach.aws.permission_rows.resource_denials import ResourceDenials
from answerable.reach.aws.permission_rows.resource_grants import (
    list_resource_policy_rows,
)
from answerable.reach.aws.permission_rows.row_types import (
    PermissionRow,
    RowFilter,
    TermPairTest,
)
from answerable.reach.aws.permission_rows.statement_spans import build_row_from_span
from answerable.reach.condition_formula import TRUE


def list_principal_rows(
    accounts: CompiledAccounts, principal: CompiledPrincipal, row_filter: RowFilter
) -> Iterator[PermissionRow]:
    """Yield a principal's rows, without those through other identities.

    Rows of its own statements come first: grants of resource policies take longer to
    find where thousands of resources have policies.
    """
    known = accounts.given.merge_over(principal.known)
    spans = collect_principal_spans(accounts, principal, known)
    resource_denials = ResourceDenials(
        accounts, principal, known, accounts.denying_policies
    )
    own = list_rows_of_own_policies(accounts, spans, row_filter)
    found = [left for row in own for left in resource_denials.split_row_by_denies(row)]
    found += list_rows_of_unread_policies(principal, row_filter)
    told = dict.fromkeys(found)
    yield from told
    sure = [row for row in found if row.formula == TRUE]
    is_covered = build_row_coverage_test(sure)
    for row in list_resource_policy_rows(
        accounts, principal, spans, row_filter, is_covered
    ):
        if row not in told and not is_covered(row.actions, row.resources):
            told[row] = None
            yield row


def list_rows_of_own_policies(
    accounts: CompiledAccounts, spans: PrincipalSpans, row_filter: RowFilter
) -> Iterator[PermissionRow]:
    """List the rows of a principal's own policies, less limits and denies."""
    limits = (*spans.bypassable_limits, *spans.limits)
    for span in spans.allows:
        row = build_row_from_span(span, row_filter)
        if row:
            yield from apply_limits_and_denies_to_row(
                accounts, row, limits, spans.denies, spans.gaps
            )


def build_row_coverage_test(rows: Sequence[PermissionRow]) -> TermPairTest:
    """Build a function that tells whether some row covers a pattern pair."""
    on_which: dict[PatternTerm[str], list[PatternTerm[ArnParts]]] = {}

    def is_covered(actions: PatternTerm[str], resources: PatternTerm[ArnParts]) -> bool:
        found = on_which.get(actions)
        if found is None:
            found = on_which[actions] = [
                row.resources for row in rows if covers(ACTIONS, row.actions, actions)
            ]
        return any(covers(RESOURCES, one, resources) for one in found)

    return is_covered


def list_rows_of_unread_policies(
    principal: CompiledPrincipal, row_filter: RowFilter
) -> Iterator[PermissionRow]:
    """List undecided rows that represent identity policies not read."""
    for gap in principal.list_unread_policies_of_layer(PolicyLayer.IDENTITY):
        by = (describe_gap(gap),)
        yield PermissionRow(
            row_filter.actions,
            row_filter.resources,
            "",
            gap.get_open_condition("Allows"),
            by,
            (gap,),
        )
