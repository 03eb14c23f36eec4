"""Group principals into equivalence classes: those that the same statements apply to.

A step that needs several calls on resources of the caller's choice is evaluated
exactly, once for a representative of each class.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable

from answerable.reach.aws.bulk.graph_compiler import CompiledGraph
from answerable.reach.aws.bulk.statement_effects import group_principals_by_statement
from answerable.reach.aws.compiled.service_facts import supports_rcps
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import NO_KEYS
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.condition_formula import FALSE, TRUE

ALWAYS_DENIED, CONDITIONAL, ALWAYS_ALLOWED = range(3)


def get_worst_required_result(results: Iterable[Evaluation]) -> int:
    """Return the worst of several required results: denied, conditional or allowed."""
    least = ALWAYS_ALLOWED
    for answer in results:
        if answer.formula == FALSE:
            return ALWAYS_DENIED
        if answer.formula != TRUE:
            least = CONDITIONAL
    return least


class EquivalenceClasses:
    """Equivalence classes of actors with respect to some actions.

    Attributes:
        able: Actors that may hold an allow for each needed action.
    """

    def __init__(
        self,
        compiled_graph: CompiledGraph,
        actions: Iterable[str],
        required_actions: Iterable[str] = (),
        naming_statements: Iterable[tuple[CompiledStatement, int]] = (),
    ) -> None:
        """Split principals by the statements that match actions in lower case.

        Args:
            compiled_graph: The actors.
            actions: Actions that are evaluated.
            required_actions: Actions that must be allowed; actors without them are left out.
            naming_statements: Statements of resource policies, each with the actors it names.
        """
        index = self._index = compiled_graph.index
        self._fences = compiled_graph.graph.accounts.rcps.values()
        self._of: dict[int, list[int]] = defaultdict(list)
        self._marks = 0
        self.able = index.scope
        for action in dict.fromkeys(required_actions):
            self.able &= index.find_holders_of_action_allow(action)
        self._sets: set[int] = set()
        self._marked: set[tuple[object, CompiledStatement]] = set()
        for action in dict.fromkeys(actions):
            self._split_classes_by_action(action)
        for clause, actors in naming_statements:
            self._split_classes_by_statement(self, clause, actors)

    def get_class_key(self, actor: int) -> Hashable:
        """Return a key that is equal for principals of the same class."""
        principal = self._index.actors[actor]
        gaps = principal.gaps
        layers = tuple(gap.layer for gap in gaps) if gaps else ()
        account, partition = principal.identity.account, principal.id.split(":", 2)[1]
        marks = tuple(self._of.get(actor, ()))
        bounds = principal.boundary is not None, principal.linked, principal.is_role
        return marks, layers, account, partition, bounds, id(principal.session)

    def _split_classes_by_action(self, action: str) -> None:
        """Split principal classes that differ in statements on one action."""
        index = self._index
        for held in (index.identity, index.boundary):
            for clause in sum(held.select_statements(action), ()):
                self._split_classes_by_statement(held, clause, held.actors[clause])
        for limit, actors in index.limits.items():
            spoken = limit.select_statements(action)
            for grant in spoken.allows + spoken.denies:
                if not grant.clause.static:
                    self._split_classes_by_statement(limit, grant.clause, actors)
        for fence in self._fences if supports_rcps(action) else ():
            for grant in fence.select_denies(action):
                if not grant.clause.static:
                    self._split_classes_by_statement(
                        self._fences, grant.clause, index.all_principals & ~index.linked
                    )

    def _split_classes_by_statement(
        self, layer: object, statement: CompiledStatement, actors: int
    ) -> None:
        """Split classes by whether, and how, a statement applies to principals."""
        index = self._index
        if not actors & self.able or (layer, statement) in self._marked:
            return
        self._marked.add((layer, statement))
        key = statement, actors & index.scope
        parted = index.parted.get(key)
        if parted is None:
            alike = group_principals_by_statement(statement, index, NO_KEYS, key[1])
            parted = index.parted[key] = [group.actors for group in alike]
        for members in parted:
            able = members & self.able
            if able and able not in self._sets:  # equal sets part alike
                self._sets.add(able)
                self._marks += 1
                for actor in index.list_bitset_members_cached(able):
                    self._of[actor].append(self._marks)
