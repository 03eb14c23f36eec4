"""Steps restored from tables answer as steps that were found."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.inventory import DerivedTables
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk import closure_tables
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from tests.reach.strategies import estates
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import accounts, said, singly, stepped

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
Row = TypeVar("Row")


class Tables(DerivedTables):
    """Tables as a file gives them: what was encoded, decoded."""

    def __init__(self, tables: Mapping[str, Iterable[tuple[str, object]]]) -> None:
        self._tables = {
            name: {key: msgspec.msgpack.encode(row) for key, row in rows}
            for name, rows in tables.items()
        }
        for rows in self._tables.values():
            assert list(rows) == sorted(rows)

    def section(self, name: str, kind: type[Row]) -> Mapping[str, Row]:
        rows = self._tables.get(name, {})
        return {
            key: msgspec.msgpack.decode(row, type=kind) for key, row in rows.items()
        }


def restored(facts: SightedFacts) -> tuple[GraphClosure, GraphClosure]:
    cold = get_graph_closure(IdentityGraph(compiled(facts)))
    graph = IdentityGraph(compiled(facts))
    warm = closure_tables.restore_closure_from_tables(
        graph, Tables(closure_tables.encode_closure_tables(cold))
    )
    graph.all = warm
    return cold, warm


@given(st.one_of(accounts(), estates()))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=slow,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_restored_steps_answer_as_found_ones(facts: SightedFacts) -> None:
    cold, warm = restored(facts)
    nodes = cold.compiled_graph.nodes[: cold.size]
    assert list(warm.actors.nodes) == nodes
    assert [warm.get_or_assign_node_number(node) for node in nodes] == list(
        range(cold.size)
    )
    assert (warm.size, warm.plain) == (cold.size, cold.plain)
    for mine, found in ((warm.sure, cold.sure), (warm.some, cold.some)):
        assert tuple(mine.beyond) == found.beyond
        assert tuple(mine.classes) == found.classes
    assert [stepped(warm, node) for node in nodes] == [stepped(cold, n) for n in nodes]
    assert said(warm, nodes) == said(cold, nodes)
    assert warm._found is None  # nothing was found again for that
    assert singly(warm) == singly(cold)


@given(st.one_of(accounts(), estates()))
@settings(max_examples=20, deadline=None, suppress_health_check=slow)
def test_all_that_edits_need_is_restored_when_they_need_it(facts: SightedFacts) -> None:
    cold, warm = restored(facts)
    assert (
        warm.compiled_graph.nodes[: warm.size] == cold.compiled_graph.nodes[: cold.size]
    )
    for kind in ("steps", "written", "common", "assumed", "editors", "passers"):
        assert getattr(warm.step_table, kind) == getattr(cold.step_table, kind)
