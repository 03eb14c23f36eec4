"""Answer whether all, part or none of a resource pattern is allowed.

A pattern is evaluated as one request first, then by the rows that overlap it: each row
is a part (`split_glob_arn`). Results that do not depend on the subject are shared by all
subjects of a question.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.reach.aws import subject_queries as queries
from answerable.reach.aws.bulk.bitset import VerdictBits, build_bitset, list_positions
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.service_facts import TRUST_POLICY_ACTIONS
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE
from answerable.reach.aws.paths.identity_edges import IdentityFilter, IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import (
    ReachPath,
    iterate_paths,
    list_reachable_identities,
    search_backward_from_targets,
)
from answerable.reach.aws.pattern_paths import PatternPaths
from answerable.reach.aws.patterns.arn_matching import (
    matches_arn,
    overlaps_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import encode_glob
from answerable.reach.aws.patterns.pattern_set_algebra import PatternTerm
from answerable.reach.aws.permission_rows.action_rows import ActionRowLister
from answerable.reach.aws.permission_rows.callable_rows import replace_assume_role_rows
from answerable.reach.aws.permission_rows.row_types import (
    PermissionRow,
    parse_row_filter,
)
from answerable.reach.aws.resource_pattern_union import PatternUnion, UnconditionalParts
from answerable.reach.aws.subject_queries import PatternExtent, ReachAnswer
from answerable.reach.aws.whole_pattern_evaluation import WholePatternEvaluator
from answerable.reach.condition_formula import FALSE, TRUE, build_atom, disjoin

FURTHER = "answerable:further-parts"
MAX_IDENTITIES_LISTED = 64  # identities on paths whose parts are listed in one answer


def answer_call_on_pattern(
    graph: IdentityGraph, start: IdentityId, action: str, resource: str, *, direct: bool
) -> ReachAnswer:
    """Answer whether a subject, itself or through others, may act on a pattern.

    Returns:
        An answer with `covers` and `parts`.
    """
    return PatternQuery(graph, action, resource).answer(start, direct=direct)


class PatternQuery:
    """Query of one action on a resource pattern, for one subject or many.

    Attributes:
        union: Combines parts into one answer.

    Args:
        most_roles: Most roles that a caller may assume which are listed as parts, if a
            closure has them; the others are counted. 0 for all.
    """

    def __init__(
        self, graph: IdentityGraph, action: str, resource: str, *, most_roles: int = 0
    ) -> None:
        self.graph, self.action, self.resource = graph, action, resource
        self.union = PatternUnion(graph.accounts, action, resource)
        self._wanted = parse_row_filter(action, resource)
        self._lister = ActionRowLister(graph.accounts, self._wanted)
        self._all_of = WholePatternEvaluator(graph.accounts, action, resource)
        self._pattern = split_glob_arn(encode_glob(resource))
        self._touching: dict[CompiledStatement, bool] = {}
        self._answers: dict[IdentityNode, Evaluation] = {}
        self._rows: dict[IdentityNode, tuple[PermissionRow, ...]] = {}
        self._most_roles = most_roles
        self._unlisted_roles: dict[IdentityNode, int] = {}
        self._paths: PatternPaths | None = None

    def answer(self, start: IdentityId, *, direct: bool) -> ReachAnswer:
        """Answer for one subject, which may be an outside caller."""
        if start not in self.graph.accounts.principals:
            return self._answer_external(start, direct=direct)
        found = self.answer_for_identity_if_permitted(start, direct=direct)
        if found is not None:
            return found
        node = self.graph.get_start_node(start)
        reply = self._answer_whole_pattern(start, ReachPath(self.graph, (node,)))
        tried = () if direct else list_reachable_identities(self.graph, node)
        return replace(reply, covers=PatternExtent.NONE, parts=(), tried=tried)

    def answer_for_identity_if_permitted(
        self, start: IdentityId, *, direct: bool, limit: int = MAX_IDENTITIES_LISTED
    ) -> ReachAnswer | None:
        """Answer for an identity; None where it can act on no part of the pattern.

        Args:
            direct: Leave out paths.
            limit: Most identities on paths whose parts are listed; the rest is counted.
        """
        node = self.graph.get_start_node(start)
        itself = ReachPath(self.graph, (node,))
        way = itself
        if self._evaluate_on_pattern(node).formula != TRUE and not direct:
            way = self._get_permitted_paths().sure.find_path_to_target(node) or itself
        if self._evaluate_on_pattern(way.target).formula == TRUE and way.certain:
            whole = self._answer_whole_pattern(start, way)
            return replace(
                whole, covers=PatternExtent.ALL, parts=(self._build_whole_part(whole),)
            )
        ways = [itself] if direct else self._iterate_permitted_paths(node)
        return self._combine_answers_of_paths(start, ways, limit)

    def may_act_on_pattern(self, node: IdentityNode) -> bool:
        """Return whether a node, directly or through others, may act on some."""
        return self._get_permitted_paths().may_reach_permitted_node(node)

    def may_act_on_part_directly(self, principal: CompiledPrincipal) -> bool:
        """Return whether a principal by itself may act on part of the pattern.

        The test is necessary, not sufficient.
        """
        if principal.gaps or self._wanted.actions.pattern in TRUST_POLICY_ACTIONS:
            return True
        allows = principal.select_statements(self._wanted.actions.pattern).allows
        if any(self._statement_overlaps_pattern(grant.clause) for grant in allows):
            return True
        return self._lister.may_resource_policies_alone_grant(principal)

    def _combine_answers_of_paths(
        self, start: IdentityId, paths: Iterable[ReachPath], limit: int
    ) -> ReachAnswer | None:
        """Combine the answers of all path ends; None without any.

        Rows covered by an unconditional part of the same account are dropped before the
        steps to them are evaluated.
        """
        graph = self.graph
        whole: ReachAnswer | None = None
        parts: list[ReachAnswer] = []
        sure = UnconditionalParts()
        told: set[tuple[object, ...]] = set()
        through = seen = further = unlisted = 0
        total = (
            self._paths.count_others(graph.get_start_node(start)) if self._paths else 0
        )
        for way in paths:
            if through >= limit:
                further = total - seen
                break
            seen += bool(way.step_count)
            account = graph.get_principal(way.target).identity.account
            rows = [
                row
                for row in self._list_node_rows(way.target)
                if not sure.does_part_cover_row(account, row)
            ]
            if self._evaluate_on_pattern(
                way.target
            ).formula != FALSE and not _rests_on_collected_allow(whole):
                reply = self._answer_whole_pattern(start, way)
                better = whole is None or queries.rank_answer(
                    reply
                ) > queries.rank_answer(whole)
                whole = reply if better else whole
            unlisted += self._unlisted_roles.get(way.target, 0)
            listed = (
                queries.build_answer_for_row(graph, start, way, r, told) for r in rows
            )
            found = [part for part in listed if part]
            parts += found
            through += bool(found and way.step_count)
            for part in found:
                sure.add_sure_part(account, part)
        if whole is None and not parts:
            return None
        nothing = queries.build_never_answer()
        whole = whole or replace(nothing, subject=start, actor=start)
        return _add_unlisted_identities(
            self.union.combine_pattern_answers([whole], parts), further + unlisted
        )

    def _answer_external(self, start: IdentityId, *, direct: bool) -> ReachAnswer:
        """Answer for a caller outside the snapshot."""
        graph, call = self.graph, (self.action, self.resource)
        whole = queries.answer_subject(graph, start, *call, direct=direct)
        if whole.formula == TRUE:
            return replace(
                whole, covers=PatternExtent.ALL, parts=(self._build_whole_part(whole),)
            )
        parts = queries.iterate_subject_rows(graph, start, self._wanted, direct=direct)
        return self.union.combine_pattern_answers([whole], parts)

    def _answer_whole_pattern(self, start: IdentityId, path: ReachPath) -> ReachAnswer:
        """Answer whether the end of a path may act on the whole ARN pattern."""
        return queries.build_answer_at_path_end(
            self.graph, start, path, self._evaluate_on_pattern(path.target)
        )

    def _build_whole_part(self, whole_answer: ReachAnswer) -> ReachAnswer:
        """Build the answer's part that covers all of the pattern."""
        return replace(whole_answer, row=self._build_whole_row(whole_answer))

    def _build_whole_row(self, whole_answer: ReachAnswer | Evaluation) -> PermissionRow:
        """Build the permission row that covers the whole queried ARN pattern."""
        action, pattern = self._wanted.actions, PatternTerm(self._pattern)
        determining, gaps = whole_answer.determining, tuple(whole_answer.gaps)
        return PermissionRow(
            action, pattern, "", whole_answer.formula, determining, gaps
        )

    def _evaluate_on_pattern(self, node: IdentityNode) -> Evaluation:
        """Evaluate the call on the whole queried ARN pattern; cached per node."""
        found = self._answers.get(node)
        if found is None:
            principal = self.graph.get_principal(node)
            found = self._answers[node] = self._all_of.evaluate_principal_on_pattern(
                principal
            )
        return found

    def _list_node_rows(self, node: IdentityNode) -> tuple[PermissionRow, ...]:
        """List a node's permissions on parts of the ARN pattern, or one for all."""
        found = self._rows.get(node)
        if found is None:
            answer, found = self._evaluate_on_pattern(node), ()
            principal = self.graph.get_principal(node)
            if answer.formula == TRUE:
                found = (self._build_whole_row(answer),)
            elif self.may_act_on_part_directly(principal):
                rows = self._lister.list_rows_of_principal(principal)
                roles = self._select_listed_roles(node)
                found = tuple(
                    replace_assume_role_rows(
                        self.graph, principal, self._wanted, rows, roles
                    )
                )
            self._rows[node] = found
        return found

    def _select_listed_roles(self, node: IdentityNode) -> IdentityFilter:
        """Select the roles listed as parts, unconditional ones first; None for all."""
        accounts = self.graph.accounts
        if (
            not self._most_roles
            or self._wanted.actions.pattern != ASSUME_ROLE
            or accounts.endpoint is not None
            or accounts.given != accounts.stated_session_keys
        ):
            return None  # a stated key or endpoint policy limits no step of a path
        whole = get_graph_closure(self.graph)
        number = whole.get_or_assign_node_number(node)
        if number >= whole.size:
            return None
        row = whole.table.assumed[number]
        listed = list_positions(row.sure)[: self._most_roles]
        more = list_positions(row.some & ~row.sure)
        listed += more[: self._most_roles - len(listed)]
        self._unlisted_roles[node] = row.some.bit_count() - len(listed)
        return frozenset(whole.get_node_by_number(n).identity for n in listed)

    def _statement_overlaps_pattern(self, clause: CompiledStatement) -> bool:
        """Return whether a statement may match some of the pattern."""
        found = self._touching.get(clause)
        if found is None:
            wanted = self._wanted.resources.pattern
            found = not clause.parts or bool(clause.not_resources)
            found = found or any(overlaps_arn(p, wanted) for p in clause.parts)
            self._touching[clause] = found
        return found

    def _may_statement_cover_pattern(self, clause: CompiledStatement) -> bool:
        """Return whether a statement may allow all of the pattern."""
        if not clause.parts or clause.not_resources:
            return True
        return any(matches_arn(parts, self._pattern) for parts in clause.parts)

    def _iterate_permitted_paths(self, node: IdentityNode) -> Iterator[ReachPath]:
        """Yield paths to nodes that may act on part of it, nearest first."""
        paths = self._get_permitted_paths()
        if not paths.may_reach_other_permitted_nodes(node):
            return iter([ReachPath(self.graph, (node,))])
        return iterate_paths(
            self.graph, node, end_bits=paths.some, stop_bits=paths.stops
        )

    def _get_permitted_paths(self) -> PatternPaths:
        """Return the identities that may act on the pattern, found on first use."""
        if self._paths is None:
            self._paths = self._compute_paths_to_permitted_nodes()
        return self._paths

    def _compute_paths_to_permitted_nodes(self) -> PatternPaths:
        """Find the paths of the identities that may act on part of the pattern, or on all."""
        graph, accounts = self.graph, self.graph.accounts
        whole = get_graph_closure(graph)
        index, action = whole.actors.index, self._wanted.actions.pattern
        some = wide = 0
        for clause in index.identity.select_statements(action).allows:
            actors = index.identity.actors[clause]
            some |= actors if self._statement_overlaps_pattern(clause) else 0
            wide |= actors if self._may_statement_cover_pattern(clause) else 0
        for unread in index.unread.values():
            some |= unread
        granted = (
            number
            for number, principal in enumerate(index.actors[: index.size])
            if self._lister.may_resource_policies_alone_grant(principal)
        )
        some |= index.include_copies(build_bitset(granted, index.size))
        if action in TRUST_POLICY_ACTIONS:
            some = index.all_principals
        starts = [graph.get_start_node(identity) for identity in accounts.principals]
        for node in starts:
            number = whole.get_or_assign_node_number(node)
            if number >= whole.size and self.may_act_on_part_directly(
                graph.get_principal(node)
            ):
                some |= 1 << number
                wide |= 1 << number
        sure = build_bitset(
            (
                n
                for n in list_positions(some & wide)
                if self._is_node_allowed_whole_pattern(whole.get_node_by_number(n))
            ),
            whole.node_count,
        )
        found = search_backward_from_targets(graph, starts, VerdictBits(sure, 0))
        return PatternPaths(whole, some, found, self._find_search_stops(whole, sure))

    def _is_node_allowed_whole_pattern(self, node: IdentityNode) -> bool:
        """Return whether a node may act on all of it unconditionally."""
        return self._evaluate_on_pattern(node).formula == TRUE

    def _find_search_stops(self, closure: GraphClosure, unconditional_bits: int) -> int:
        """Find nodes beyond which a search of paths finds nothing new.

        A node that may act on all of the pattern covers the other nodes of its account.
        """
        accounts: dict[str, list[int]] = {}
        for number, node in enumerate(
            closure.actors.nodes[: closure.size] if unconditional_bits else ()
        ):
            accounts.setdefault(_get_account_of_node(node), []).append(number)
        same = {
            name: build_bitset(held, closure.size) for name, held in accounts.items()
        }
        stops = 0
        for number in list_positions(unconditional_bits):
            if (
                not closure.get_reachable(number)
                & ~same[_get_account_of_node(closure.get_node_by_number(number))]
            ):
                stops |= 1 << number
        return stops


def _rests_on_collected_allow(answer: ReachAnswer | None) -> bool:
    """Return whether an answer rests on at least one allow that was collected."""
    return answer is not None and queries.rank_answer(answer) >= queries.CONDITIONAL


def _add_unlisted_identities(answer: ReachAnswer, unlisted_count: int) -> ReachAnswer:
    """Add the number of identities not listed, as an undecided condition."""
    if not unlisted_count or answer.formula == TRUE:
        return answer
    more = build_atom(FURTHER, "Through", (str(unlisted_count),))
    return replace(answer, formula=disjoin(answer.formula, more))


def _get_account_of_node(node: IdentityNode) -> str:
    """Return the account of a node's identity."""
    pieces = node.identity.split(":", 5)
    return pieces[4] if len(pieces) > 4 else ""
