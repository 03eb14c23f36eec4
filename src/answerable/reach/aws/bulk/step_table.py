"""Compute the one-step privilege escalations of all principals, or of some of them."""

from dataclasses import dataclass, replace

from answerable.reach.aws.bulk.bitset import NO_VERDICTS, VerdictBits, list_positions
from answerable.reach.aws.bulk.existing_resources import ExistingResources
from answerable.reach.aws.bulk.graph_compiler import CompiledGraph, add_nodes
from answerable.reach.aws.bulk.group_nodes import (
    GroupJoins,
    NodeBitsets,
    list_distinct_nodes,
    union_verdicts,
)
from answerable.reach.aws.bulk.one_step_reach import StepRows


@dataclass(frozen=True, slots=True, eq=False)
class StepTable:
    """Steps of every actor, as adjacency rows.

    Attributes:
        steps: By actor, the identities it can become in one step.
        written: By actor, those by a credential or trust policy that it may write.
        common: By actor, these and all others except by assuming a role.
        assumed: By actor, those by assuming a role alone.
        there: Resources that escalation rules act on.
        editors: Actors whose steps may depend on which identities are administrators.
        passers: Actors that may pass a role.
    """

    steps: list[VerdictBits]
    written: list[VerdictBits]
    common: list[VerdictBits]
    assumed: list[VerdictBits]
    there: ExistingResources
    editors: int = 0
    passers: int = 0

    def recompute_principal_rows(
        self, compiled_graph: CompiledGraph, actors: int
    ) -> "StepTable | None":
        """Recompute the rows of some principals after a policy edit.

        Args:
            compiled_graph: All actors, after the edit.
            actors: Actors whose rows may have changed, as a bitset.

        Returns:
            All rows; None where a node appeared that the graph does not have.
        """
        some = StepRows.compute(compiled_graph, list_positions(actors), self.there)
        joined = list(some.list_group_joins())
        numbers = compiled_graph.numbers
        if any(node not in numbers for node in list_distinct_nodes(joined)):
            return None
        new = replace(
            self.copy(),
            editors=self.editors & ~actors | some.editors,
            passers=self.passers & ~actors | some.passers,
        )
        new.replace_principal_rows(some, joined)
        return new

    def copy(self) -> "StepTable":
        """Return a shallow copy whose rows may be replaced."""
        return replace(
            self,
            steps=list(self.steps),
            written=list(self.written),
            common=list(self.common),
            assumed=list(self.assumed),
        )

    def with_verdicts_on_assuming_role(
        self, role: int, new_verdicts: VerdictBits, actors: int
    ) -> "StepTable":
        """Return a copy with new verdicts on assuming one role, for some principals.

        Args:
            role: Number of the role.
            new_verdicts: Actors that may assume it after the edit.
            actors: Actors whose rows change; their other steps through the role must
                stay.
        """
        new, bit = self.copy(), 1 << role
        shared: dict[tuple[int, int, bool, bool], VerdictBits] = {}

        def put(row: VerdictBits, other_steps: VerdictBits, actor: int) -> VerdictBits:
            sure, some = (
                bool(new_verdicts.sure >> actor & 1),
                bool(new_verdicts.some >> actor & 1),
            )
            key = id(row), id(other_steps), sure, some
            if key not in shared:
                sure, some = (
                    sure or bool(other_steps.sure & bit),
                    some or bool(other_steps.some & bit),
                )
                shared[key] = VerdictBits(
                    row.sure & ~bit | sure << role, row.some & ~bit | some << role
                )
            return shared[key]

        for actor in list_positions(actors):
            new.steps[actor] = put(self.steps[actor], self.common[actor], actor)
            new.assumed[actor] = put(self.assumed[actor], NO_VERDICTS, actor)
        return new

    def replace_principal_rows(
        self, new_rows: StepRows, group_joins: GroupJoins
    ) -> None:
        """Replace the rows of some principals, and add the nodes of group joins."""
        for n, actor in enumerate(new_rows.actors):
            # The closure is updated for the rows that are other objects.
            if new_rows.steps[n] != self.steps[actor]:
                self.steps[actor] = new_rows.steps[n]
            self.assumed[actor] = new_rows.assumed[n]
            self.written[actor], self.common[actor] = (
                new_rows.written[n],
                new_rows.common[n],
            )
        bits = NodeBitsets(new_rows.realm)
        for actor, joined in group_joins:
            self.steps[actor] = union_verdicts([self.steps[actor], bits.encode(joined)])


def compute_step_table(compiled_graph: CompiledGraph) -> StepTable:
    """Compute the one-step reach of all principals, and of nodes from group joins."""
    rows = StepTable([], [], [], [], ExistingResources(compiled_graph))
    actors = range(len(compiled_graph.nodes))
    while actors:
        some = StepRows.compute(compiled_graph, actors, rows.there)
        joined = [(actor, nodes) for actor, nodes in some.list_group_joins() if nodes]
        met = list_distinct_nodes(joined)
        new = dict.fromkeys(node for node in met if node not in compiled_graph.numbers)
        more = add_nodes(compiled_graph, list(new)) if new else range(0)
        rows.steps.extend(some.steps)
        rows.written.extend(some.written)
        rows.common.extend(some.common)
        rows.assumed.extend(some.assumed)
        rows = replace(
            rows,
            editors=rows.editors | some.editors,
            passers=rows.passers | some.passers,
        )
        rows.replace_principal_rows(some, joined)
        actors = more
    compiled_graph.index.scope = compiled_graph.index.all_principals
    compiled_graph.index.clear_member_caches()
    return rows
