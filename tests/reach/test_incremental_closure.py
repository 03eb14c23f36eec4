"""A closure that follows changes is that of the rows as they are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.reach.aws.bulk import incremental_closure
from answerable.reach.aws.bulk.transitive_closure import compute_transitive_closure
from tests.reach.mutation import Plant, apply_mutation, is_found

SIZE = 12
row = st.lists(st.integers(0, SIZE - 1), max_size=3).map(
    lambda nodes: sum(1 << node for node in set(nodes))
)
rows = st.lists(row, min_size=SIZE, max_size=SIZE)
changes = st.tuples(
    rows, st.dictionaries(st.integers(0, SIZE - 1), row, min_size=1, max_size=4)
)


def follows(drawn: tuple[list[int], dict[int, int]]) -> None:
    """The law: changed row by row or closed anew, everybody reaches the same."""
    before, other = drawn
    after = [other.get(node, row) for node, row in enumerate(before)]
    changes = {node: (before[node], row) for node, row in other.items()}
    held = incremental_closure.update_closure(
        compute_transitive_closure(before), changes, lambda: list(after)
    )
    anew = compute_transitive_closure(after)
    assert held.beyond == anew.beyond
    assert dict(held.classes) == dict(anew.classes)


@settings(max_examples=200)
@given(changes)
def test_a_closure_follows_its_rows(drawn: tuple[list[int], dict[int, int]]) -> None:
    follows(drawn)


def _all_that_is_lost_is_found_elsewhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        incremental_closure._EdgeRemoval,
        "_still_reaches_lost_targets",
        lambda self, start: True,
    )


def _no_other_way_leads_to_what_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        incremental_closure._EdgeRemoval,
        "_map_nodes_to_lost_nodes",
        lambda self, lost, core: {},
    )


def _nobody_hears_of_what_is_gained(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        incremental_closure,
        "_union_reach_of_members",
        lambda reached, groups, within: reached,
    )


PLANTS = [
    _all_that_is_lost_is_found_elsewhere,
    _no_other_way_leads_to_what_is_lost,
    _nobody_hears_of_what_is_gained,
]


@pytest.mark.parametrize("plant", PLANTS)
def test_the_law_of_closures_finds(plant: Plant) -> None:
    with apply_mutation(plant):
        assert is_found(changes, follows, 2000)
