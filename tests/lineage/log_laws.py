"""Laws over the records of log sources, as checks that raise `AssertionError`."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lineage.log_world import (
    Delivery,
    Rows,
    list_whole_logs,
    open_log_store,
    split_records,
)

STRENGTH = ["missing", "inferred", "declared", "observed"].index
Records = Mapping[str, Sequence[Any]]


def check_order(records: Records, folder: Path, seeds: Sequence[int]) -> Rows:
    """Check that any order and split of records gives the same rows.

    The rows are also read in between, as a user may do at any time.
    """
    told: list[Rows] = []
    for seed in seeds:
        chance = random.Random(seed)  # noqa: S311 - a test's order
        with open_log_store(folder / f"order-{seed}") as store:
            for delivery in split_records(records, chance):
                store.tell(delivery)
                if chance.random() < 0.2:
                    store.rows()
            told.append(store.rows())
        assert told[-1] == told[0], f"order {seed}"
    return told[0]


def check_repetitions(records: Records, folder: Path, seeds: Sequence[int]) -> None:
    """Check that records which are read again, in other files, change nothing."""
    with open_log_store(folder / "once") as store:
        stored = sum(map(store.tell, list_whole_logs(records)))
        expected = store.rows()
    for seed in seeds:
        chance = random.Random(seed)  # noqa: S311 - a test's order
        with open_log_store(folder / f"repetition-{seed}") as store:
            assert sum(map(store.tell, split_records(records, chance))) == stored
            assert store.rows() == expected
            again = [store.tell(each) for each in split_records(records, chance)]
            assert sum(again) == 0
            assert store.rows() == expected


def check_random_growth(records: Records, folder: Path, seeds: Sequence[int]) -> None:
    """Check `check_growth` on random splits into many files."""
    for seed in seeds:
        chance = random.Random(seed)  # noqa: S311 - a test's order
        split = split_records(records, chance, most_files=9)
        check_growth(split, folder / f"growth-{seed}")


def check_growth(deliveries: Sequence[Delivery], folder: Path) -> None:
    """Check that no delivery weakens a hop, or changes an observed one."""
    with open_log_store(folder) as store:
        before: Rows = []
        for delivery in deliveries:
            store.tell(delivery)
            after = store.rows()
            assert find_weakened(before, after) == [], delivery.source
            before = after


def find_weakened(before: Rows, after: Rows) -> list[str]:
    """Find the hops that are weaker, or whose observed value is another one."""
    later = {row["event_id"]: row["hops"] for row in after}
    return [
        f"{row['source']} {name}: {hop} became {found}"
        for row in before
        for name, hop in row["hops"].items()
        for found in (later[row["event_id"]][name],)
        if STRENGTH(found["status"]) < STRENGTH(hop["status"])
        or (hop["status"] == "observed" and found["value"] != hop["value"])
    ]
