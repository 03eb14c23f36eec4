"""Answer which identities each principal can become, from the closure of the graph.

Steps are bitset rows by actor (`adjacency`), closed once; questions about many actors
read them. A printed path is evaluated exactly, step by step (`find_best_edge`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import compress
from operator import is_not
from typing import TYPE_CHECKING, NamedTuple, Protocol

from answerable.reach.aws.bulk.bitset import (
    NO_VERDICTS,
    VerdictBits,
    build_bitset,
    list_positions,
)
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.bulk.transitive_closure import (
    TransitiveClosure,
    compute_transitive_closure,
)
from answerable.reach.aws.compiled.aws_protected_objects import OWNER_ACCOUNT_ACTIONS
from answerable.reach.aws.compiled.service_facts import NO_PERMISSION_ACTIONS
from answerable.reach.aws.evaluation.single_request import (
    evaluate_action,
    is_owner_only_call,
)
from answerable.reach.aws.paths.identity_edges import IdentityNode, is_not_yet_created
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import TRUE, Verdict

# Most questions read stored steps: the compiler of the graph is imported where it runs.
if TYPE_CHECKING:
    from answerable.reach.aws.bulk.equal_nodes import NodeComparison
    from answerable.reach.aws.bulk.graph_compiler import CompiledGraph
    from answerable.reach.aws.bulk.policy_diff import AttachmentsByPolicy
    from answerable.reach.aws.bulk.resource_policies import PrincipalMatcher
    from answerable.reach.aws.bulk.step_table import StepTable


class ActorSource(Protocol):
    """Actors of a graph as questions need them: a `CompiledGraph`, or one read from tables."""

    @property
    def index(self) -> StatementIndex:
        """Index of policy statements by holder."""

    @property
    def nodes(self) -> Sequence[IdentityNode]:
        """Graph node of each principal."""

    @property
    def numbers(self) -> Mapping[IdentityNode, int]:
        """Number of the compiled principal of each graph node."""

    @property
    def naming(self) -> "PrincipalMatcher":
        """Matcher of Principal elements against the principals."""

    @property
    def plain(self) -> int:
        """Number of identities that exist; those not yet created come after."""

    @property
    def widened(self) -> int:
        """Number of the first principal with unrestricted permissions."""


class ActorSteps(NamedTuple):
    """Identities that each actor becomes in a step, and those by a role alone."""

    taken: Sequence[VerdictBits]
    assumed: Sequence[VerdictBits]


@dataclass(eq=False, slots=True)
class GraphClosure:
    """Closure of a graph over all its actors.

    Attributes:
        table: Steps of each actor.
        sure: Closure over unconditional steps.
        some: Closure over all steps.
        plain: Number of actors without group memberships gained.
        size: Number of actors.
        made: Actors that are identities not yet created, as a bitset.
        find: Loads the compiled graph and the step table, for edits.
        hanging: Attachments by policy, after a first edit.
        compared: Comparison of the nodes with those of another closure, the last one.
    """

    graph: IdentityGraph
    actors: ActorSource
    table: ActorSteps
    sure: TransitiveClosure
    some: TransitiveClosure
    plain: int
    size: int
    made: int
    find: "Callable[[], tuple[CompiledGraph, StepTable]]"
    hanging: "AttachmentsByPolicy | None" = None
    compared: "NodeComparison | None" = None
    _more: list[IdentityNode] = field(default_factory=list)
    _numbers: dict[IdentityNode, int] = field(default_factory=dict)
    _loose: dict[int, tuple[VerdictBits, int]] = field(default_factory=dict)
    _found: "tuple[CompiledGraph, StepTable] | None" = None

    @property
    def compiled_graph(self) -> "CompiledGraph":
        """Compiled graph from which the steps are computed."""
        return self._load_step_table()[0]

    @property
    def step_table(self) -> "StepTable":
        """Table of the identities that each principal becomes in one step."""
        return self._load_step_table()[1]

    def _load_step_table(self) -> "tuple[CompiledGraph, StepTable]":
        """Load the compiled graph and the step table once, on first use."""
        if self._found is None:
            self._found = self.actors, rows = self.find()
            self.table = ActorSteps(rows.steps, rows.assumed)
        return self._found

    def with_policy_edit(
        self,
        graph: IdentityGraph,
        compiled_graph: "CompiledGraph",
        step_table: "StepTable",
    ) -> "GraphClosure":
        """Return a copy of this closure for the graph after a policy edit.

        Args:
            graph: Graph after the edit.
            compiled_graph: The same actors after the edit.
            step_table: Steps after the edit.
        """
        new = copy(self)
        new.graph, new.actors = graph, compiled_graph
        new._found = compiled_graph, step_table
        new._loose, new._more, new._numbers, new.compared = {}, [], {}, None
        if compiled_graph.nodes is self.compiled_graph.nodes:
            from answerable.reach.aws.bulk.equal_nodes import NodeComparison

            self.compared = NodeComparison(new, same=True)
        if step_table is not self.step_table:
            new._update_closures(self, step_table)
        graph.all = new
        return new

    def _update_closures(self, old: "GraphClosure", step_table: "StepTable") -> None:
        """Replace the changed rows, and update both transitive closures."""
        from answerable.reach.aws.bulk.incremental_closure import update_closure

        self.table = ActorSteps(step_table.steps, step_table.assumed)
        was, now = old.step_table.steps, step_table.steps
        other = list(compress(range(self.size), map(is_not, was, now)))
        self.sure = update_closure(
            old.sure,
            {n: (was[n].sure, now[n].sure) for n in other},
            lambda: [row.sure for row in now],
        )
        self.some = update_closure(
            old.some,
            {n: (was[n].some, now[n].some) for n in other},
            lambda: [row.some for row in now],
        )

    def get_or_assign_node_number(self, node: IdentityNode) -> int:
        """Return a node's number; number it if it is not a principal of the graph."""
        found = self.actors.numbers.get(node)
        if found is None:
            found = self._numbers.get(node)
        if found is None:
            found = self._numbers[node] = self.size + len(self._more)
            self._more.append(node)
        return found

    def get_node_by_number(self, number: int) -> IdentityNode:
        """Return the identity node that has a number in the bitsets."""
        if number >= self.size:
            return self._more[number - self.size]
        return self.actors.nodes[number]

    @property
    def node_count(self) -> int:
        """Count of identity nodes, which is the length of the bitsets."""
        return self.size + len(self._more)

    def get_next_nodes(self, number: int) -> VerdictBits:
        """Return the nodes one step from a node, as a bitset, without itself."""
        row = self._get_one_step_reach(number)
        if number >= self.size:
            return row
        actors = self.actors
        base = actors.index.base[number]
        itself = 1 << base
        wider = actors.widened + base
        if base < actors.plain and row.some >> wider & 1:
            node = actors.nodes[number]
            if node.extra == "*" or node.bare or self.graph.is_administrator(node):
                itself |= 1 << wider
        return row.restrict_to(~itself)

    def is_next_to(self, number: int, nodes: int, *, unconditional: bool) -> bool:
        """Return whether one step leads from a node to some of the others."""
        row = self._get_one_step_reach(number)
        ahead = (row.sure if unconditional else row.some) & nodes
        if number >= self.size or not ahead:
            return bool(ahead)
        base = self.actors.index.base[number]
        if ahead & ~(1 << base | 1 << self.actors.widened + base):
            return True
        row = self.get_next_nodes(number)
        return bool((row.sure if unconditional else row.some) & nodes)

    def list_targets_one_step_away(self, number: int, targets: int) -> list[int]:
        """List the target nodes one step from a node, role assumptions first."""
        parts = self._split_by_edge_kind(number, targets)
        return [to for part in parts for to in list_positions(part)]

    def choose_target_one_step_away(self, number: int, targets: int) -> int:
        """Return the first target node that `list_targets_one_step_away` lists."""
        part = next(part for part in self._split_by_edge_kind(number, targets) if part)
        return (part & -part).bit_length() - 1

    def _split_by_edge_kind(self, number: int, targets: int) -> tuple[int, int, int]:
        """Split target nodes one step away: assumed roles, others, created ones."""
        assumed = targets & self._get_assumable_roles(number)
        made = targets & self.made & ~assumed
        return assumed, targets & ~(assumed | made), made

    def _get_one_step_reach(self, number: int) -> VerdictBits:
        """Return the nodes one step from a node; it may be among them."""
        if number < self.size:
            return self.table.taken[number]
        return self._get_session_one_step_reach(number)[0]

    def _get_assumable_roles(self, number: int) -> int:
        """Return the roles that a node may assume, as a bitset."""
        if number < self.size:
            return self.table.assumed[number].some
        return self._get_session_one_step_reach(number)[1]

    def _get_session_one_step_reach(self, number: int) -> tuple[VerdictBits, int]:
        """Return a session's one-step reach, and the roles that it may assume."""
        found = self._loose.get(number)
        if found is None:
            found = self._loose[number] = self._compute_session_reach(
                self.get_node_by_number(number)
            )
        return found

    def _compute_session_reach(self, node: IdentityNode) -> tuple[VerdictBits, int]:
        """Compute the one-step reach of a session, which the graph does not hold."""
        sure = some = assumed = 0
        for edge in self.graph.list_best_edges(node):
            bit = 1 << self.get_or_assign_node_number(edge.to)
            some |= bit
            sure |= bit if edge.formula == TRUE else 0
            assumed |= bit if edge.via == "sts:AssumeRole" else 0
        return VerdictBits(sure, some), assumed

    def get_reachable(self, number: int) -> int:
        """Return the nodes that a node reaches in any number of steps, as a bitset."""
        if number < self.size:
            return self.some.beyond[number]
        found = row = self.get_next_nodes(number).some
        for to in list_positions(row):
            found |= self.some.beyond[to] if to < self.size else 0
        return found

    def evaluate_reach_of_targets(self, number: int, targets: VerdictBits) -> Verdict:
        """Return the verdict on whether a node is, or can become, a target."""
        if number >= self.size:
            return self._evaluate_reach_of_session(number, targets)
        sure = self.sure.beyond[number] | 1 << number
        some = self.some.beyond[number] | 1 << number
        if sure & targets.sure:
            return Verdict.ALWAYS
        return Verdict.ONLY_IF if some & targets.some else Verdict.NEVER

    def _evaluate_reach_of_session(self, number: int, targets: VerdictBits) -> Verdict:
        """Return whether a role session reaches a target: always, only-if, never."""
        best = Verdict.NEVER
        if targets.some >> number & 1:
            best = Verdict.ALWAYS if targets.sure >> number & 1 else Verdict.ONLY_IF
        row = self.get_next_nodes(number)
        for to in list_positions(row.some):
            if to != number and best is not Verdict.ALWAYS:
                there = self.evaluate_reach_of_targets(to, targets)
                if there is Verdict.ALWAYS and row.sure >> to & 1:
                    best = Verdict.ALWAYS
                elif there is not Verdict.NEVER:
                    best = Verdict.ONLY_IF
        return best

    def find_direct_callers(self, action: str, resource: str) -> VerdictBits:
        """Return the principals that may make a call without becoming another."""
        accounts, realm = self.graph.accounts, self.actors
        folded = action.lower()
        if not accounts.can_action_act_on_resource(action, resource):
            return NO_VERDICTS
        if folded in NO_PERMISSION_ACTIONS:
            actors = enumerate(realm.index.actors)
            free = [n for n, one in actors if one.needs_no_permission(folded)]
            bits = build_bitset(free, self.size)
            return VerdictBits(bits, bits)
        if accounts.endpoint or accounts.build_request(action, resource).wild:
            return self.evaluate_each_node(range(self.size), action, resource)
        from answerable.reach.aws.bulk.target_evaluation import TargetEvaluation

        goal = TargetEvaluation(
            accounts, realm.index, realm.naming, folded, resource, accounts.given
        )
        found = goal.find_permitted_principals(
            lambda one: evaluate_action(accounts, one, action, resource).formula
        )
        if not folded.startswith("iam:") and folded not in OWNER_ACCOUNT_ACTIONS:
            return found.restrict_to(realm.index.all_principals)
        near = 0
        for account, members in realm.naming.accounts.items():
            if not is_owner_only_call(accounts, account, action, resource):
                near |= realm.index.include_copies(members)
        return found.restrict_to(near)

    def evaluate_each_node(
        self, numbers: Iterable[int], action: str, resource: str
    ) -> VerdictBits:
        """Evaluate a call for some nodes one by one."""
        accounts, actors = self.graph.accounts, self.actors.index.actors
        sure = some = 0
        for number in numbers:
            if number < self.size:
                actor = actors[number]
            else:
                actor = self.graph.get_principal(self.get_node_by_number(number))
            formula = evaluate_action(accounts, actor, action, resource).formula
            some |= (1 << number) if formula else 0
            sure |= (1 << number) if formula == TRUE else 0
        return VerdictBits(sure, some)

    def add_permitted_sessions(
        self,
        targets: VerdictBits,
        nodes: Iterable[IdentityNode],
        action: str,
        resource: str,
    ) -> VerdictBits:
        """Add to the targets those sessions that may make the call."""
        numbers = map(self.get_or_assign_node_number, nodes)
        sessions = [number for number in numbers if number >= self.size]
        more = self.evaluate_each_node(sessions, action, resource)
        return VerdictBits(targets.sure | more.sure, targets.some | more.some)


def build_graph_closure(
    graph: IdentityGraph,
    compiled_graph: "CompiledGraph",
    step_table: "StepTable",
    closures: tuple[TransitiveClosure, TransitiveClosure],
) -> GraphClosure:
    """Build a graph closure from computed steps and transitive closures."""
    nodes = compiled_graph.nodes
    made = build_bitset(
        (n for n, node in enumerate(nodes) if is_not_yet_created(node.identity)),
        len(nodes),
    )
    return GraphClosure(
        graph=graph,
        actors=compiled_graph,
        table=ActorSteps(step_table.steps, step_table.assumed),
        sure=closures[0],
        some=closures[1],
        plain=compiled_graph.first_group_node,
        size=len(nodes),
        made=made,
        find=lambda: (compiled_graph, step_table),
    )


def get_graph_closure(graph: IdentityGraph) -> GraphClosure:
    """Return the closure of a graph: cached, restored from tables, or computed."""
    if not isinstance(graph.all, GraphClosure) and graph.restore is not None:
        graph.all = graph.restore(graph)
    if not isinstance(graph.all, GraphClosure):
        from answerable.reach.aws.bulk.graph_compiler import compile_graph
        from answerable.reach.aws.bulk.step_table import compute_step_table

        realm = compile_graph(graph)
        rows = compute_step_table(realm)
        sure = compute_transitive_closure([row.sure for row in rows.steps])
        some = compute_transitive_closure([row.some for row in rows.steps])
        graph.all = build_graph_closure(graph, realm, rows, (sure, some))
        if graph.keep is not None:
            graph.keep(graph)
    return graph.all
