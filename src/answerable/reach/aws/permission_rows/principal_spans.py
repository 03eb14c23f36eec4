"""Collect a principal's allows, limits and denies as pairs of patterns (spans)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_matching import (
    NamingFormulas,
    match_principal,
)
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    PolicyGap,
    PolicyStatement,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.patterns.action_resource_matrix import (
    can_actions_act_on_resource_pattern,
)
from answerable.reach.aws.patterns.glob_matching import ANY_TEXT
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    PatternTerm,
    are_patterns_disjoint,
)
from answerable.reach.aws.permission_rows.row_types import PermissionRow
from answerable.reach.aws.permission_rows.statement_spans import (
    LimitingSpans,
    StatementSpan,
    apply_deny_to_row,
    apply_limit_to_row,
    build_limiting_spans,
    list_pattern_pairs_of_statements,
)
from answerable.reach.condition_formula import FALSE, conjoin, negate


@dataclass(frozen=True, slots=True)
class PrincipalSpans:
    """Allows, limits and denies of a principal.

    Attributes:
        allows: Allows of its identity policies.
        bypassable_limits: Its boundary and session policy: they do not limit a grant that names
            its user or session itself.
        limits: SCP levels and the endpoint policy.
        denies: Explicit denies of all of them.
        gaps: Policies and statements not read.
    """

    allows: tuple[StatementSpan, ...]
    bypassable_limits: tuple[LimitingSpans, ...]
    limits: tuple[LimitingSpans, ...]
    denies: tuple[StatementSpan, ...]
    gaps: tuple[PolicyGap, ...]
    _of_service: dict[str, "PrincipalSpans"] = field(default_factory=dict)
    _over: dict[tuple[bool, bool], tuple[LimitingSpans, ...]] = field(
        default_factory=dict
    )

    def list_limits_on_resource_grant(
        self, *, same_account: bool, bypasses_boundary: bool
    ) -> tuple[LimitingSpans, ...]:
        """List the limits that apply to a resource policy's grant.

        Args:
            same_account: Whether the resource is of the principal's own account.
            bypasses_boundary: Whether the policy names the user or session itself.
        """
        found = self._over.get((same_account, bypasses_boundary))
        if found is None:
            found = self.limits
            if not (same_account and bypasses_boundary):
                found = (*self.bypassable_limits, *found)
            if not same_account:
                unread = [gap for gap in self.gaps if gap.layer is PolicyLayer.IDENTITY]
                found = (build_limiting_spans(self.allows, unread), *found)
            self._over[same_account, bypasses_boundary] = found
        return found

    def select_spans_on_service(self, service: str) -> "PrincipalSpans":
        """Return a copy without spans on other services."""
        found = self._of_service.get(service)
        if found is None:
            found = self._of_service[service] = PrincipalSpans(
                allows=_select_spans_on_service(self.allows, service),
                bypassable_limits=tuple(
                    _restrict_limit_to_service(limit, service)
                    for limit in self.bypassable_limits
                ),
                limits=tuple(
                    _restrict_limit_to_service(limit, service) for limit in self.limits
                ),
                denies=_select_spans_on_service(self.denies, service),
                gaps=self.gaps,
            )
        return found


def _select_spans_on_service(
    spans: Iterable[StatementSpan], service: str
) -> tuple[StatementSpan, ...]:
    """Select the spans that may match actions of a service."""
    of_service = PatternTerm(f"{service}:{ANY_TEXT}")
    return tuple(
        s for s in spans if not are_patterns_disjoint(ACTIONS, s.actions, of_service)
    )


def _restrict_limit_to_service(limit: LimitingSpans, service: str) -> LimitingSpans:
    """Restrict a limit's spans to those on a service."""
    return replace(limit, spans=_select_spans_on_service(limit.spans, service))


def collect_principal_spans(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    context_keys: ContextKeys,
    action: str = "",
) -> PrincipalSpans:
    """Collect the allows, limits and denies of a principal.

    Args:
        accounts: The compiled accounts.
        principal: The principal.
        context_keys: Condition keys known for every call that it makes.
        action: Action in lower case; statements on others are left out.
    """

    def taking(grants: Iterable[PolicyStatement]) -> Iterable[PolicyStatement]:
        if not action:
            return grants
        return [grant for grant in grants if grant.clause.matches_action(action)]

    def namer(clause: CompiledStatement) -> NamingFormulas:
        return match_principal(clause, principal)

    mine = list(
        list_pattern_pairs_of_statements(taking(principal.grants), context_keys)
    )
    every = mine
    escapable, limits = [], []
    gaps = principal.gaps
    if principal.boundary is not None:
        spans = list(
            list_pattern_pairs_of_statements(taking(principal.boundary), context_keys)
        )
        escapable.append(
            build_limiting_spans(
                spans, principal.list_unread_policies_of_layer(PolicyLayer.BOUNDARY)
            )
        )
        every = every + spans
    if principal.session:
        spans = list(
            list_pattern_pairs_of_statements(
                taking(principal.session.grants), context_keys
            )
        )
        escapable.append(build_limiting_spans(spans, principal.session.gaps))
        every = every + spans
    for level in principal.levels:
        spans = list(
            list_pattern_pairs_of_statements(taking(level.grants), context_keys)
        )
        limits.append(build_limiting_spans(spans, level.gaps))
        every = every + spans
    if accounts.endpoint:
        spans = list(
            list_pattern_pairs_of_statements(
                taking(accounts.endpoint.grants), context_keys, namer
            )
        )
        limits.append(build_limiting_spans(spans, accounts.endpoint.gaps))
        gaps += accounts.endpoint.gaps
        every = every + spans
    return PrincipalSpans(
        allows=tuple(span for span in mine if not span.is_deny),
        bypassable_limits=tuple(escapable),
        limits=tuple(limits),
        denies=tuple(span for span in every if span.is_deny),
        gaps=gaps,
    )


def apply_limits_and_denies_to_row(
    accounts: CompiledAccounts,
    row: PermissionRow,
    limits: Iterable[LimitingSpans],
    denies: Iterable[StatementSpan],
    gaps: tuple[PolicyGap, ...],
) -> Iterator[PermissionRow]:
    """Yield the parts of a row that every limit allows and no statement denies."""
    left = [row]
    for limit in limits:
        left = [inside for one in left for inside in apply_limit_to_row(one, limit)]
    for deny in denies:
        left = [kept for one in left for kept in apply_deny_to_row(one, deny)]
    for one in left:
        if one.formula != FALSE and can_actions_act_on_resource_pattern(
            accounts.catalogue, one.actions.pattern, one.resources.pattern
        ):
            unread = (negate(gap.get_open_condition("Denies")) for gap in gaps)
            yield one._replace(formula=conjoin(one.formula, *unread), gaps=gaps)
