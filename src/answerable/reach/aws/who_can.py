"""List every caller that can make a call, the most severe first."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import list_positions
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.call_parsing import is_pattern_question
from answerable.reach.aws.candidate_callers import list_candidate_callers
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.evaluation.single_request import evaluate_action
from answerable.reach.aws.evaluation.trust_policies import TrustEntry
from answerable.reach.aws.outside_callers import (
    GradedAnswers,
    get_caller_answer_sort_key,
    grade_caller_entering_role,
    list_callers_allowed_by_resource_policy,
    list_outside_callers_of_pattern,
    prepend_role_entry,
    sort_outside_callers,
)
from answerable.reach.aws.paths.identity_edges import IdentityNode, is_not_yet_created
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import (
    ReachPath,
    search_backward_from_targets,
)
from answerable.reach.aws.subject_queries import (
    RESTS_ON_UNCOLLECTED,
    ReachAnswer,
    answer_subject,
    build_answer_at_path_end,
    rank_answer,
)
from answerable.reach.caller_ranking import (
    IDENTITY_GRADES,
    NO_AGENT_RANKING,
    CallerRanking,
)
from answerable.reach.condition_formula import FALSE, TRUE

MAX_LISTED_PATHS = 8  # identities on paths listed per caller and pattern
MAX_LISTED_ROLES = 16  # roles that a caller may assume, listed for a pattern
CallerAnswers = Iterator[tuple[int, ReachAnswer | None]]
_SortKey = tuple[int, bool, bool, str]
_SortedAnswer = tuple[_SortKey, Callable[[], ReachAnswer]]


class CallerQuery(Protocol):
    """Evaluator of callers one by one, for pages of a list."""

    def list_outside_callers(self) -> tuple[list[ReachAnswer], list[ReachAnswer]]:
        """List the outside callers that can make the call, AWS services apart."""

    def iterate_answers_of_identities(
        self, grades: tuple[int, ...], first: int = 0
    ) -> CallerAnswers:
        """Evaluate the identities of some severity grades, in order of id.

        Yields:
            Position of each evaluated identity with its answer, None for `never`.
        """


def list_all_callers_by_severity(
    graph: IdentityGraph,
    action: str,
    resource: str,
    *,
    direct: bool,
    ranking: CallerRanking = NO_AGENT_RANKING,
) -> Iterator[ReachAnswer]:
    """List every caller that can make a call, the most severe first.

    Outside callers are admitted by the resource policy, or may enter a permitted role.
    """
    if not direct and not is_pattern_question(graph.accounts, action, resource):
        for make in list_lazy_caller_answers(graph, action, resource, ranking):
            reply = make()
            if reply.formula != FALSE:
                yield reply
        return
    asking = build_caller_query(graph, action, resource, ranking, direct=direct)
    leading, last = asking.list_outside_callers()
    yield from leading
    for grades in IDENTITY_GRADES:
        found = (
            reply for _, reply in asking.iterate_answers_of_identities(grades) if reply
        )
        yield from found if direct else sorted(found, key=get_caller_answer_sort_key)
    yield from last


def list_lazy_caller_answers(
    graph: IdentityGraph, action: str, resource: str, ranking: CallerRanking
) -> list[Callable[[], ReachAnswer]]:
    """List a function per caller that builds its answer when called."""
    listed = _TransitiveCallerQuery(
        graph, action, resource, ranking
    ).list_sortable_caller_answers()
    return [make for _, make in sorted(listed, key=lambda pair: pair[0])]


def build_caller_query(
    graph: IdentityGraph,
    action: str,
    resource: str,
    ranking: CallerRanking,
    *,
    direct: bool,
) -> CallerQuery:
    """Build the query that evaluates callers one by one.

    It follows paths for a pattern only.
    """
    if is_pattern_question(graph.accounts, action, resource):
        return _PatternCallerQuery(graph, action, resource, ranking, direct=direct)
    return _DirectCallerQuery(graph, action, resource, ranking)


class _DirectCallerQuery:
    """Evaluator for one resource, paths aside."""

    def __init__(
        self, graph: IdentityGraph, action: str, resource: str, ranking: CallerRanking
    ) -> None:
        self._graph, self._call, self._gravity = graph, (action, resource), ranking

    def list_outside_callers(self) -> tuple[list[ReachAnswer], list[ReachAnswer]]:
        """List the outside callers that the resource policy allows."""
        return sort_outside_callers(
            list_callers_allowed_by_resource_policy(self._graph, *self._call)
        )

    def iterate_answers_of_identities(
        self, grades: tuple[int, ...], first: int = 0
    ) -> CallerAnswers:
        """Evaluate candidate identities by themselves, in order of id."""
        graph, accounts = self._graph, self._graph.accounts
        for place, identity in list_candidate_callers(accounts, *self._call, first):
            if self._gravity.grade_identity_severity(identity) in grades:
                way = ReachPath(graph, (graph.get_start_node(identity),))
                answer = evaluate_action(
                    accounts, graph.get_principal(way.target), *self._call
                )
                reply = build_answer_at_path_end(graph, identity, way, answer)
                yield place, reply if reply.formula != FALSE else None


class _PatternCallerQuery:
    """Evaluator for a pattern, with or without paths."""

    def __init__(
        self,
        graph: IdentityGraph,
        action: str,
        resource: str,
        ranking: CallerRanking,
        *,
        direct: bool,
    ) -> None:
        self._graph, self._gravity, self._direct = graph, ranking, direct
        from answerable.reach.aws.resource_pattern_answers import PatternQuery

        self._question = PatternQuery(
            graph, action, resource, most_roles=MAX_LISTED_ROLES
        )
        self._found: dict[IdentityId, ReachAnswer | None] = {}

    def list_outside_callers(self) -> tuple[list[ReachAnswer], list[ReachAnswer]]:
        """List the outside callers that some matching resource allows."""
        found = [*list_outside_callers_of_pattern(self._question)]
        if not self._direct:
            found += self._list_outside_callers_entering_roles()
        return sort_outside_callers(found)

    def iterate_answers_of_identities(
        self, grades: tuple[int, ...], first: int = 0
    ) -> CallerAnswers:
        """Evaluate identities for the pattern, in order of id."""
        for place, identity in enumerate(self._graph.accounts.principals):
            if (
                place < first
                or self._gravity.grade_identity_severity(identity) not in grades
            ):
                continue
            if self._may_identity_be_permitted(identity):
                yield place, self._get_answer_if_permitted(identity)

    def _may_identity_be_permitted(self, identity: IdentityId) -> bool:
        """Tell cheaply whether an identity may be permitted at all."""
        node = self._graph.get_start_node(identity)
        if not self._direct:
            return self._question.may_act_on_pattern(node)
        return self._question.may_act_on_part_directly(self._graph.get_principal(node))

    def _get_answer_if_permitted(self, identity: IdentityId) -> ReachAnswer | None:
        """Return an identity's answer, None if not permitted; cached."""
        if identity not in self._found:
            self._found[identity] = self._question.answer_for_identity_if_permitted(
                identity, direct=self._direct, limit=MAX_LISTED_PATHS
            )
        return self._found[identity]

    def _list_outside_callers_entering_roles(self) -> GradedAnswers:
        """List the outside callers that may enter a permitted role."""
        graph = self._graph
        for role in graph.accounts.externally_trusted_roles:
            entries = (
                graph.list_external_role_entries(role)
                if self._question.may_act_on_pattern(IdentityNode(role))
                else ()
            )
            reply = self._get_answer_if_permitted(role) if entries else None
            if reply is not None:
                for entry in entries:
                    yield (
                        grade_caller_entering_role(entry),
                        prepend_role_entry(reply, entry, role),
                    )


class _TransitiveCallerQuery:
    """Evaluator of all callers over all paths; answers are built lazily."""

    def __init__(
        self, graph: IdentityGraph, action: str, resource: str, ranking: CallerRanking
    ) -> None:
        self._graph, self._call, self._gravity = graph, (action, resource), ranking
        whole = get_graph_closure(graph)
        starts: list[IdentityNode] = []
        if graph.accounts.session:
            starts = [
                graph.get_start_node(identity) for identity in graph.accounts.principals
            ]
        self._whole = whole
        self._goals = whole.add_permitted_sessions(
            whole.find_direct_callers(*self._call), starts, *self._call
        )
        self._found = search_backward_from_targets(graph, starts, self._goals)
        self._answered: int | None = None

    def list_sortable_caller_answers(self) -> Iterator[_SortedAnswer]:
        """List a sort key and a lazy answer for every caller."""
        for grade, reply in list_callers_allowed_by_resource_policy(
            self._graph, *self._call
        ):
            key = (grade, reply.formula != TRUE, False, reply.subject)
            yield key, partial(_return_given_answer, reply)
        yield from self._list_identities_with_path_to_permitted()
        yield from self._list_outside_callers_entering_roles()

    def _list_identities_with_path_to_permitted(self) -> Iterator[_SortedAnswer]:
        """List the identities that have a path to a permitted one."""
        whole = self._whole
        for number, certain, has_step in self._found.list_nodes_reaching_target():
            if whole.actors.plain <= number < whole.size:
                continue  # not yet created, or with permissions gained on a path
            node = self._whole.get_node_by_number(number)
            if self._is_start_node(node):
                grade = self._gravity.grade_identity_severity(node.identity)
                key = (grade, not certain, has_step, node.identity)
                yield key, partial(self._build_answer_for_path_from_node, node)

    def _is_start_node(self, node: IdentityNode) -> bool:
        """Return whether a node is an existing identity without gained permissions."""
        return node == self._graph.get_start_node(
            node.identity
        ) and not is_not_yet_created(node.identity)

    def _build_answer_for_path_from_node(self, node: IdentityNode) -> ReachAnswer:
        """Build the answer for the path from a node to a permitted one."""
        path = self._found.find_path_to_target(node)
        assert path is not None, node  # noqa: S101 - listed as a source
        answer = evaluate_action(
            self._graph.accounts, self._graph.get_principal(path.target), *self._call
        )
        reply = build_answer_at_path_end(self._graph, node.identity, path, answer)
        if rank_answer(
            reply
        ) != RESTS_ON_UNCOLLECTED or not self._does_node_reach_collected_allow(node):
            return reply
        better = answer_subject(
            self._graph, node.identity, *self._call, direct=False, targets=self._goals
        )
        return better if rank_answer(better) > RESTS_ON_UNCOLLECTED else reply

    def _does_node_reach_collected_allow(self, node: IdentityNode) -> bool:
        """Return whether a node reaches a permission in collected policies."""
        if self._answered is None:
            graph, open_ = self._graph, self._goals.some & ~self._goals.sure
            self._answered = self._goals.sure
            for number in list_positions(open_ & ~(-1 << self._whole.size)):
                principal = graph.get_principal(self._whole.get_node_by_number(number))
                answer = evaluate_action(graph.accounts, principal, *self._call)
                if not rests_on_uncollected_allow(answer.formula):
                    self._answered |= 1 << number
        number = self._whole.get_or_assign_node_number(node)
        if number >= self._whole.size:
            return True
        return bool(self._whole.some.beyond[number] & self._answered)

    def _list_outside_callers_entering_roles(self) -> Iterator[_SortedAnswer]:
        """List the outside callers that may enter a permitted role."""
        for role in self._graph.accounts.externally_trusted_roles:
            measured = self._found.measure_path_to_target(IdentityNode(role))
            if measured is None:
                continue
            for entry in self._graph.list_external_role_entries(role):
                grade = grade_caller_entering_role(entry)
                certain = measured[0] and entry.answer.formula == TRUE
                key = (grade, not certain, measured[1], entry.principal)
                yield key, partial(self._build_answer_for_role_entry, role, entry)

    def _build_answer_for_role_entry(
        self, role: IdentityId, entry: TrustEntry
    ) -> ReachAnswer:
        """Build the answer for an outside caller that enters a role."""
        return prepend_role_entry(
            self._build_answer_for_path_from_node(IdentityNode(role)), entry, role
        )


def _return_given_answer(answer: ReachAnswer) -> ReachAnswer:
    """Return an answer that was built before, in the place of a lazy one."""
    return answer
