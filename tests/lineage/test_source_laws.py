"""Laws over the records of all log sources: order, split, repetition, and one more source.

Each law is also run with planted mistakes, and has to find them.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from answerable.connectors import registry
from tests.lineage.log_laws import (
    check_growth,
    check_order,
    check_random_growth,
    check_repetitions,
)
from tests.lineage.log_mistakes import GROWTH, JOINED, ORDER, REPETITION, Plant
from tests.lineage.log_world import (
    OWN,
    RECORDS,
    list_whole_logs,
    select_records,
)

PLANTED_SEEDS = range(12)


def test_every_log_source_has_records_here() -> None:
    specs = [each.spec for each in registry.CONNECTORS]
    declared = {each.name for each in specs if each.gives == registry.EVENTS}
    assert declared == RECORDS.keys() - {"sts"}


def test_any_order_and_split_gives_the_same_rows(tmp_path: Path) -> None:
    told = check_order(select_records(disputed=True), tmp_path, range(2))
    assert {row["source"] for row in told} == RECORDS.keys()


def test_records_that_are_read_twice_change_nothing(tmp_path: Path) -> None:
    check_repetitions(select_records(disputed=True), tmp_path, [7])


# The logs of the platforms before our own records, and in the other order.
ORDERS = {"own-last": [*sorted(RECORDS.keys() - set(OWN)), "sts", "gateway"]}
ORDERS["own-first"] = ORDERS["own-last"][::-1]


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_one_more_source_weakens_no_hop(tmp_path: Path, order: list[str]) -> None:
    check_growth(list_whole_logs(RECORDS, order), tmp_path / "growth")


def test_one_more_file_weakens_no_hop(tmp_path: Path) -> None:
    check_random_growth(select_records(JOINED), tmp_path, [3])


def name(plant: object) -> str:
    return getattr(plant, "__name__", "")


@pytest.mark.parametrize(("plant", "sources"), ORDER.items(), ids=name)
def test_the_law_of_order_finds_a_planted_mistake(
    plant: Plant,
    sources: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = select_records(sources, disputed=True)
    plant(monkeypatch)
    with pytest.raises(AssertionError, match="order"):
        check_order(records, tmp_path, PLANTED_SEEDS)


@pytest.mark.parametrize(("plant", "sources"), REPETITION.items(), ids=name)
def test_the_law_of_repetition_finds_a_planted_mistake(
    plant: Plant,
    sources: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = select_records(sources, disputed=True)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check_repetitions(records, tmp_path, PLANTED_SEEDS)


@pytest.mark.parametrize(("plant", "sources"), GROWTH.items(), ids=name)
def test_the_law_of_one_more_file_finds_a_planted_mistake(
    plant: Plant,
    sources: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check_random_growth(select_records(sources), tmp_path, PLANTED_SEEDS)
