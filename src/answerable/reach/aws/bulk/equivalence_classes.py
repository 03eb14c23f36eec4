"""Equivalence classes of actors that the same statements apply to.

A step that needs several calls on resources of the caller's choice is evaluated
exactly, once for a representative of each class.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable

from answerable.reach.aws.bulk.edges import CompiledGraph
from answerable.reach.aws.bulk.statement_effects import group_actors
from answerable.reach.aws.compiled.service_facts import supports_rcps
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import NO_KEYS
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.formula import FALSE, TRUE

ALWAYS_DENIED, CONDITIONAL, ALWAYS_ALLOWED = range(3)


def combine_results(answers: Iterable[Evaluation]) -> int:
    """Combine results of calls that are all needed: never, conditional or always."""
    least = ALWAYS_ALLOWED
    for answer in answers:
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
        realm: CompiledGraph,
        actions: Iterable[str],
        needed: Iterable[str] = (),
        named: Iterable[tuple[CompiledStatement, int]] = (),
    ) -> None:
        """Split actors by the statements that match actions in lower case.

        Args:
            realm: The actors.
            actions: Actions that are evaluated.
            needed: Actions that must be allowed; actors without them are left out.
            named: Statements of resource policies, each with the actors it names.
        """
        index = self._index = realm.index
        self._fences = realm.graph.estate.fences.values()
        self._of: dict[int, list[int]] = defaultdict(list)
        self._marks = 0
        self.able = index.scope
        for action in dict.fromkeys(needed):
            self.able &= index.find_action_holders(action)
        self._sets: set[int] = set()
        self._marked: set[tuple[object, CompiledStatement]] = set()
        for action in dict.fromkeys(actions):
            self._split_by_action(action)
        for clause, actors in named:
            self._split_by_statement(self, clause, actors)

    def get_class_key(self, actor: int) -> Hashable:
        """Return the key of an actor's class."""
        principal = self._index.actors[actor]
        gaps = principal.gaps
        layers = tuple(gap.layer for gap in gaps) if gaps else ()
        account, partition = principal.identity.account, principal.id.split(":", 2)[1]
        marks = tuple(self._of.get(actor, ()))
        bounds = principal.boundary is not None, principal.linked, principal.is_role
        return marks, layers, account, partition, bounds, id(principal.session)

    def _split_by_action(self, action: str) -> None:
        index = self._index
        for held in (index.identity, index.boundary):
            for clause in sum(held.select_statements(action), ()):
                self._split_by_statement(held, clause, held.actors[clause])
        for limit, actors in index.limits.items():
            spoken = limit.select_statements(action)
            for grant in spoken.allows + spoken.denies:
                if not grant.clause.static:
                    self._split_by_statement(limit, grant.clause, actors)
        for fence in self._fences if supports_rcps(action) else ():
            for grant in fence.select_denies(action):
                if not grant.clause.static:
                    self._split_by_statement(
                        self._fences, grant.clause, index.all & ~index.linked
                    )

    def _split_by_statement(
        self, layer: object, clause: CompiledStatement, actors: int
    ) -> None:
        index = self._index
        if not actors & self.able or (layer, clause) in self._marked:
            return
        self._marked.add((layer, clause))
        key = clause, actors & index.scope
        parted = index.parted.get(key)
        if parted is None:
            alike = group_actors(clause, index, NO_KEYS, key[1])
            parted = index.parted[key] = [group.actors for group in alike]
        for members in parted:
            able = members & self.able
            if able and able not in self._sets:  # equal sets part alike
                self._sets.add(able)
                self._marks += 1
                for actor in index.list_members(able):
                    self._of[actor].append(self._marks)
