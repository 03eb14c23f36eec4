"""Update the closure of an identity graph incrementally after policies were edited.

An edit of statements changes the rows of the actors whose policies changed. A trust policy
changes which actors may assume one role; an RCP, the rows of all actors it applies to. A
principal that becomes or ceases to be an administrator changes the rows of actors that
may edit others. These rows are recomputed, and the closure is updated. An edit that
cannot change a step touches no row.

A full run is needed in these cases: the change is no edit of statements; a policy was or
becomes partly unread, or had no statements and is one of several; a resource policy of a
service that escalation rules use changed; a trust policy starts or stops to allow session
tags; a new node appears, by a group or a boundary.
Answers always equal those of a full run; unreachable nodes may remain.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.ids import IdentityId
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk.bitset import VerdictBits, build_bitset, list_positions
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.bulk.existing_resources import ExistingResources
from answerable.reach.aws.bulk.graph_compiler import (
    CompiledGraph,
    find_service_trusting_roles,
)
from answerable.reach.aws.bulk.policy_diff import AttachmentsByPolicy, diff_policies
from answerable.reach.aws.bulk.policy_recompilation import Recompilation
from answerable.reach.aws.bulk.rcp_update import (
    diff_escalation_denies,
    find_principals_affected_by_denies,
)
from answerable.reach.aws.bulk.resource_space import ResourceSpace
from answerable.reach.aws.bulk.statement_holder_table import HolderList
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.bulk.step_table import StepTable
from answerable.reach.aws.bulk.target_evaluation import TargetEvaluation
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.saml_providers import list_trusted_saml_providers
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.assume_role import evaluate_assume_role
from answerable.reach.aws.evaluation.context_keys import NO_KEYS
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE, RoleTrust
from answerable.reach.aws.paths.administrator import is_administrator
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.pass_role import PASS_ROLE
from answerable.reach.aws.paths.path_step_evaluation import evaluate_path_step_call

_UPDATE_SAML_PROVIDER = "iam:updatesamlprovider"


def update_closure_for_edit(
    closure: GraphClosure, before: SightedFacts, after: SightedFacts
) -> GraphClosure:
    """Return the closure after a policy edit, incrementally or by a full run.

    Args:
        closure: Closure of `before`.
        before: Facts before the edit.
        after: Facts after the edit.
    """
    new = update_closure_incrementally(closure, before, after)
    return new or _recompute_closure(closure.graph.accounts, after)


def update_closure_incrementally(
    closure: GraphClosure, before: SightedFacts, after: SightedFacts
) -> GraphClosure | None:
    """Update a closure incrementally; None where only a full run is correct.

    Args:
        closure: Closure of `before`.
        before: Facts before the edit.
        after: Facts after the edit.
    """
    hanging = closure.hanging
    if hanging is None or hanging.attachments is not after.attachments:
        hanging = AttachmentsByPolicy(after.attachments)
        if before.attachments is after.attachments:
            closure.hanging = hanging
    changed = diff_policies(before, after, hanging)
    new = None
    if changed is not None:
        update = _IncrementalUpdate(Recompilation(closure, changed))
        new = update.recompute_stale_rows(may_change_steps=changed.stepping)
    if new is not None:
        new.hanging = hanging
    return new


def _recompute_closure(accounts: CompiledAccounts, facts: SightedFacts) -> GraphClosure:
    """Compute the closure of changed facts by a full run."""
    fresh = compile_accounts(
        facts,
        accounts.catalogue,
        stated_keys=accounts.given,
        tags_collected=accounts.tags_collected,
    )
    graph = IdentityGraph(
        replace(fresh, session=accounts.session, endpoint=accounts.endpoint)
    )
    return get_graph_closure(graph)


@dataclass(eq=False, slots=True)
class _IncrementalUpdate:
    """Update of the rows that an edit may change.

    Attributes:
        exchange: Recompiled accounts.
        old: Actors before the edit.
        new: Actors after the edit.
    """

    exchange: Recompilation
    old: CompiledGraph = field(init=False)
    new: CompiledGraph = field(init=False)

    def recompute_stale_rows(self, *, may_change_steps: bool) -> GraphClosure | None:
        """Recompute stale rows; None where only a full run is correct.

        Args:
            may_change_steps: Whether the edit can change a step.
        """
        exchange, whole = self.exchange, self.exchange.whole
        if exchange.lost:
            return None
        self.old = whole.compiled_graph
        turned = list(self._list_administrator_changes())
        now = exchange.graph.accounts.rcps
        fences = diff_escalation_denies(whole.graph.accounts.rcps, now)
        roles = {*exchange.trusts, *self._list_service_trusting_roles(fences)}
        trusts = whole.graph.accounts.trusts
        if any(
            one.allows_session_tags != trusts[role].allows_session_tags
            for role, one in exchange.trusts.items()
        ) or any(self._had_removable_boundary(number) for number in turned):
            return None
        self.new = self._update_compiled_graph(turned, roles)
        stale = build_bitset(
            exchange.actors if may_change_steps else turned, whole.size
        )
        for number in turned:
            stale |= whole.step_table.editors & self._find_principals_of_same_account(
                number
            )
        stale |= self._find_principals_affected_by_rcps(fences)
        rows, more = self._update_saml_takeovers(whole.step_table)
        stale |= more
        for role in exchange.trusts:
            rows, more = self._update_role_assumptions(rows, role)
            stale |= more
        found = rows.recompute_principal_rows(self.new, stale) if stale else rows
        return (
            whole.with_policy_edit(exchange.graph, self.new, found) if found else None
        )

    def _list_administrator_changes(self) -> Iterator[int]:
        """List the principals that became administrators or ceased to be one."""
        turning = any(
            a.allows_everything != b.allows_everything
            for a, b in self.exchange.limits.items()
        )
        for number, new in self.exchange.actors.items():
            old = self.old.index.actors[number]
            same = old.grants is new.grants and old.boundary is new.boundary
            if not (same and not turning) and is_administrator(old) != is_administrator(
                new
            ):
                yield number

    def _had_removable_boundary(self, number: int) -> bool:
        """Return whether a principal had a boundary that others may remove."""
        bounded = self.old.index.actors[number].boundary is not None
        return number < self.old.plain and bounded and bool(self.old.index.bounded)

    def _find_principals_of_same_account(self, number: int) -> int:
        """Return the principals in the account of a principal."""
        account = self.old.index.actors[number].identity.account
        accounts = self.old.naming.accounts
        return self.old.index.include_copies(accounts.get(account, 0))

    def _list_service_trusting_roles(
        self, accounts: Collection[str]
    ) -> Iterator[IdentityId]:
        """List roles of these accounts whose trust policy admits an AWS service."""
        if not accounts:
            return
        estate = self.exchange.whole.graph.accounts
        for role in {one for some in estate.by_service.values() for one in some}:
            if estate.trusts[role].account in accounts:
                yield role

    def _find_principals_affected_by_rcps(
        self, rcps: Mapping[str, set[CompiledStatement]]
    ) -> int:
        """Return the principals whose steps a change of RCPs may affect."""
        clauses = {clause for some in rcps.values() for clause in some}
        found = find_principals_affected_by_denies(
            clauses, self.new.index, self.new.known
        )
        if self.old.serving != self.new.serving:
            for account in rcps:
                near = self.old.naming.accounts.get(account, 0)
                passers = self.exchange.whole.step_table.passers
                found |= passers & self.old.index.include_copies(near)
        return found

    def _update_compiled_graph(
        self, admin_changes: list[int], roles: Collection[IdentityId]
    ) -> CompiledGraph:
        """Return the compiled graph with the new policies and administrators."""
        exchange, old = self.exchange, self.old
        index = _update_statement_index(old.index, exchange.actors, exchange.limits)
        admins = old.admins ^ build_bitset(
            (n for n in admin_changes if n < old.plain), old.plain
        )
        trusts, was = exchange.trusts, exchange.whole.graph.accounts.trusts
        return replace(
            old,
            graph=exchange.graph,
            index=index,
            naming=old.naming.with_statement_index(index),
            admins=admins,
            trusting=_replace_trust_statements(old.trusting, was, trusts)
            if trusts
            else old.trusting,
            serving=self._update_service_trusts(roles) if roles else old.serving,
        )

    def _update_service_trusts(
        self, roles: Collection[IdentityId]
    ) -> dict[str, VerdictBits]:
        """Evaluate again which AWS services these roles trust, after an edit."""
        found = {}
        number = self.old.identities.arn_index.number
        others = ~build_bitset((number[role] for role in roles), self.old.plain)
        for service, held in self.old.serving.items():
            sure, some, _ = find_service_trusting_roles(
                self.exchange.graph, number, service, roles
            )
            found[service] = VerdictBits(
                held.sure & others | sure, held.some & others | some
            )
        return found

    def _update_saml_takeovers(self, step_table: StepTable) -> tuple[StepTable, int]:
        """Pair roles with the SAML providers that they trust now.

        Returns the table and the principals to recompute: those that may replace the
        metadata of a provider, unless they may edit the role itself.
        """
        trusts = self.exchange.whole.graph.accounts.trusts
        changed = [
            role
            for role, one in self.exchange.trusts.items()
            if list_trusted_saml_providers(one)
            != list_trusted_saml_providers(trusts[role])
        ]
        if not changed:
            return step_table, 0
        number = self.old.identities.arn_index.number
        able = self.new.index.find_holders_of_action_allow(_UPDATE_SAML_PROVIDER)
        stale = 0
        for role in changed:
            stale |= _exclude_unconditional_holders(
                step_table.written, number[role], able
            )
        return replace(step_table, there=ExistingResources(self.new)), stale

    def _update_role_assumptions(
        self, step_table: StepTable, role: IdentityId
    ) -> tuple[StepTable, int]:
        """Update who may assume a role; return principals to recompute.

        An actor that can become a role of its account may edit it, or remove its
        boundary; passing it depends on the services that it trusts.
        """
        number = self.old.identities.arn_index.number[role]
        was, now = (
            _find_principals_assuming_role(self.old, role),
            _find_principals_assuming_role(self.new, role),
        )
        other = (was.sure ^ now.sure) | (was.some ^ now.some)
        near = self._find_principals_of_same_account(number)
        stale = _exclude_unconditional_holders(
            step_table.common, number, other & near & step_table.editors
        )
        if self.old.serving != self.new.serving:
            passers = near & step_table.passers
            passers &= _find_principals_passing_role(self.new, role)
            stale |= _exclude_unconditional_holders(step_table.written, number, passers)
        fast = other & ~stale
        return (
            step_table.with_verdicts_on_assuming_role(number, now, fast)
            if fast
            else step_table
        ), stale


def _exclude_unconditional_holders(
    rows: Sequence[VerdictBits], identity: int, actors: int
) -> int:
    """Exclude the principals whose row holds one identity unconditionally."""
    left = (n for n in list_positions(actors) if not rows[n].sure >> identity & 1)
    return build_bitset(left, len(rows))


def _find_principals_assuming_role(
    compiled_graph: CompiledGraph, role: IdentityId
) -> VerdictBits:
    """Evaluate which principals may assume one role."""
    accounts = compiled_graph.graph.accounts
    goal = TargetEvaluation(
        accounts,
        compiled_graph.index,
        compiled_graph.naming,
        ASSUME_ROLE,
        role,
        compiled_graph.known,
    )
    return goal.find_permitted_principals(
        lambda one: evaluate_assume_role(accounts, one, role).formula
    )


def _find_principals_passing_role(
    compiled_graph: CompiledGraph, role: IdentityId
) -> int:
    """Find the principals that may pass one role to some service."""
    accounts = compiled_graph.graph.accounts
    call = TargetEvaluation(
        accounts,
        compiled_graph.index,
        compiled_graph.naming,
        PASS_ROLE.lower(),
        role,
        compiled_graph.known,
    )
    return call.find_permitted_principals(
        lambda one: (
            evaluate_path_step_call(accounts, one, PASS_ROLE, role, NO_KEYS).formula
        )
    ).some


def _replace_trust_statements(
    space: ResourceSpace,
    old_trusts: Mapping[IdentityId, RoleTrust],
    new_trusts: Mapping[IdentityId, RoleTrust],
) -> ResourceSpace:
    """Replace trust statements in a resource space of roles."""
    spoken = dict(space.spoken)
    for role, trust in new_trusts.items():
        bit = 1 << space.arn_index.number[role]
        for grant in old_trusts[role].grants:
            spoken[grant.clause] &= ~bit
        for grant in trust.grants:
            spoken[grant.clause] = spoken.get(grant.clause, 0) | bit
    return replace(space, spoken=tuple(pair for pair in spoken.items() if pair[1]))


def _update_statement_index(
    index: StatementIndex,
    actors: Mapping[int, CompiledPrincipal],
    new_levels: Mapping[LimitingLayer, LimitingLayer],
) -> StatementIndex:
    """Update the statement index for principals whose policies changed."""
    other = {
        n: actor
        for n, actor in actors.items()
        if actor.grants != index.actors[n].grants
    }
    new = index.with_new_identity_policies(other)
    new.actors = listed = list(new.actors)
    lost, gained = HolderList(), HolderList()
    for number, actor in actors.items():
        was = index.actors[number].boundary
        listed[number] = actor
        if was is not actor.boundary:
            lost.add_holder_of_statements(was or (), number)
            gained.add_holder_of_statements(actor.boundary or (), number)
    new.boundary = index.boundary.with_changed_holders(lost, gained, len(index.actors))
    new.limits = {
        new_levels.get(limit, limit): who for limit, who in index.limits.items()
    }
    return new
