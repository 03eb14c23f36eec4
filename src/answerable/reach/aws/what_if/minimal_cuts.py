"""Find minimal cuts: the fewest statements whose removal ends an access path.

An open path depends on a set of statements; every cut contains one of them. The search
branches on these, the smallest sets first (Reiter, "A theory of diagnosis from first
principles", 1987: hitting-set tree), and tests each set on an updated graph.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk.closure import GraphClosure
from answerable.reach.aws.bulk.incremental_update import update_closure_for_edit
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.compiled.resources import get_policy_holder
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.glob_matching import has_no_wildcard
from answerable.reach.aws.patterns.pattern_set_algebra import format_arn_parts
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.what_if.policy_edits import (
    StatementId,
    remove_policy_statements,
)

StatementSet = frozenset[StatementId]
# Finds a path that is still open in a graph; None where there is none.
FindPath = Callable[[IdentityGraph], ReachAnswer | None]


@dataclass(slots=True)
class CutSearch:
    """Search for minimal cuts.

    Attributes:
        whole: Closure of the graph as collected.
        facts: Facts of the graph.
        call: Action and resource of a single call; else empty texts.
        find_way: Finds a path that is still open.
        most_tried: Most sets to test.
        most_statements: Most statements of a set.
        tried: Number of sets tested.
        exhausted: Whether every set of the sizes tried was tested.
    """

    whole: GraphClosure
    facts: SightedFacts
    call: tuple[str, str]
    find_way: FindPath
    most_tried: int
    most_statements: int
    tried: int = 0
    exhausted: bool = True
    _supports: list[StatementSet] = field(default_factory=list)
    _known: frozenset[StatementId] = frozenset()

    def find_minimal_cuts(self) -> list[tuple[StatementSet, IdentityGraph]]:
        """Find every cut of the smallest size, each with the remaining graph.

        Returns:
            An empty list where no removal ends the reach, or none was found.
        """
        self._known = frozenset(
            StatementId(str(policy.id), sid)
            for policy in self.facts.policies
            for sid in (
                *(one.sid for one in policy.statements),
                *(one.sid for one in policy.unread),
            )
        )
        level: list[StatementSet] = [frozenset()]
        for _ in range(self.most_statements + 1):
            found: list[tuple[StatementSet, IdentityGraph]] = []
            following: dict[StatementSet, None] = {}
            for removed in level:
                if self.tried >= self.most_tried:
                    self.exhausted = False
                    return found
                support, graph = self._find_supporting_statements(removed)
                if support is None:
                    found.append((removed, graph))
                else:
                    following |= {removed | {one}: None for one in sorted(support)}
            if found or not following:
                return found
            level = list(following)
        self.exhausted = False
        return []

    def _find_supporting_statements(
        self, removed: StatementSet
    ) -> tuple[StatementSet | None, IdentityGraph]:
        """Return the statements a remaining path uses; None if no path."""
        for known in self._supports:
            if known.isdisjoint(removed):
                return known, self.whole.graph
        self.tried += 1
        graph = self.whole.graph
        if removed:
            after = remove_policy_statements(self.facts, removed)
            graph = update_closure_for_edit(self.whole, self.facts, after).graph
        reply = self.find_way(graph)
        if reply is None:
            return None, graph
        found = list_supporting_statements(graph.accounts, reply, self.call)
        support = frozenset(found) & self._known
        self._supports.append(support)
        return support, graph


def list_supporting_statements(
    accounts: CompiledAccounts, answer: ReachAnswer, call: tuple[str, str]
) -> Iterator[StatementId]:
    """List the statements that may allow the calls of a path.

    Args:
        accounts: The compiled accounts.
        answer: The open path.
        call: Call at its end; empty texts where the answer has a row.
    """
    action, resource = call
    if answer.row is not None:
        action = answer.row.actions.pattern
        resource = format_arn_parts(answer.row.resources.pattern)
    calls = [(hop.origin, _split_step_actions(hop.via), hop.to) for hop in answer.path]
    calls.append((str(answer.actor), [action.lower()], resource))
    for origin, actions, to in calls:
        for each in actions:
            yield from _list_statements_allowing_step(accounts, origin, each, to)
    for found in (answer.determining, *(hop.determining for hop in answer.path)):
        yield from (StatementId(one.policy, one.statement) for one in found)
    yield from (StatementId(str(gap.policy), gap.sid) for gap in answer.gaps)


def _split_step_actions(via: str) -> list[str]:
    """Split the `+`-joined actions of a path step, in lower case."""
    return [each.strip().lower() for each in via.split("+") if ":" in each]


def _list_statements_allowing_step(
    accounts: CompiledAccounts, origin: str, action: str, target: str
) -> Iterator[StatementId]:
    """List the statements that allow a call: caller's policies and the target's own."""
    principal = accounts.principals.get(IdentityId(origin))
    grants: list[PolicyStatement] = []
    if principal is not None:
        grants += (*principal.grants, *(principal.boundary or ()))
    for level in accounts.scp_levels.get(get_arn_account(origin), ()):
        grants += level.grants
    for grant in grants:
        if not has_no_wildcard(action) or grant.clause.matches_action(action):
            yield from _list_ids_of_allow_statement(grant)
    own = accounts.trusts.get(IdentityId(target)) or accounts.holders.get(
        get_policy_holder(target)
    )
    for grant in own.grants if own else ():
        yield from _list_ids_of_allow_statement(grant)


def _list_ids_of_allow_statement(grant: PolicyStatement) -> Iterator[StatementId]:
    """List the ids of an allow statement; none for other statements."""
    if grant.clause.effect is PolicyEffect.ALLOW:
        yield StatementId(str(grant.policy), grant.sid)
