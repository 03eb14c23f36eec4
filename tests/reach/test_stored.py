"""Steps restored from bytes answer as steps that were found."""

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.sighting import Facts
from answerable.reach.bits import stored
from answerable.reach.bits.whole import Whole, whole_of
from answerable.reach.paths.graph import Graph
from tests.reach.build import Builder, user
from tests.reach.strategies import estates
from tests.reach.test_planes import compiled
from tests.reach.test_update import accounts, said, singly, stepped

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def restored(facts: Facts) -> tuple[Whole, Whole]:
    cold = whole_of(Graph(compiled(facts)))
    graph = Graph(compiled(facts))
    warm = stored.decode(graph, stored.encode(cold))
    assert warm is not None
    graph.all = warm
    return cold, warm


@given(st.one_of(accounts(), estates()))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=slow,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_restored_steps_answer_as_found_ones(facts: Facts) -> None:
    cold, warm = restored(facts)
    nodes = cold.realm.nodes[: cold.size]
    assert warm.realm.nodes[: warm.size] == nodes
    assert (warm.size, warm.plain) == (cold.size, cold.plain)
    assert (warm.sure, warm.some) == (cold.sure, cold.some)
    for kind in ("steps", "written", "common", "assumed", "editors", "passers"):
        assert getattr(warm.rows, kind) == getattr(cold.rows, kind)
    assert [stepped(warm, node) for node in nodes] == [stepped(cold, n) for n in nodes]
    assert said(warm, nodes) == said(cold, nodes)
    assert singly(warm) == singly(cold)


def test_bytes_of_other_actors_or_of_another_form_are_refused() -> None:
    one, other = Builder(), Builder()
    one.identity(user("ana"))
    other.identity(user("ben"))
    data = stored.encode(whole_of(Graph(compiled(one.facts()))))
    assert stored.decode(Graph(compiled(other.facts())), data) is None
    assert stored.decode(Graph(compiled(one.facts())), data[:-1]) is None
    assert stored.decode(Graph(compiled(one.facts())), b"\xc0") is None
    assert stored.decode(Graph(compiled(one.facts())), data) is not None
