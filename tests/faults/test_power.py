"""The shim that loses power finds a missing sync, and the store loses nothing under it."""

import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from answerable.store import durable_files
from tests.faults.counts import Count
from tests.faults.power import PowerLost, losing_power
from tests.faults.power_loss import lose_power

SEED = 2


def test_a_loss_of_power_loses_and_doubles_nothing() -> None:
    (count,) = lose_power(1, SEED, every=31)
    assert count.holds, count
    assert count.acknowledged > 50
    print(f"{count.tried} losses of power tried")


def test_a_journal_that_is_not_synced_is_found() -> None:
    (count,) = lose_power(1, SEED, every=41, deaf=".log")
    assert count.lost > 0, count


@pytest.mark.parametrize("synced", [True, False])
def test_what_was_synced_is_there_after_the_loss_whole(
    tmp_path: Path, synced: bool
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(b"a" * 4000)
    seen = set()
    for seed in range(30):
        target = tmp_path / f"{synced}-{seed}"
        chance = random.Random(seed)  # noqa: S311 - no secret
        with suppress(PowerLost), losing_power(root, target, 0, chance):
            handle = os.open(root / "file", os.O_WRONLY)
            os.pwrite(handle, b"b" * 4000, 0)
            if synced:
                os.fdatasync(handle)
            os.close(handle)
            durable_files.mark_crash_point("step")
        seen.add((target / "file").read_bytes())
        (root / "file").write_bytes(b"a" * 4000)
    if synced:
        assert seen == {b"b" * 4000}
    else:
        assert any(len(set(each)) == 2 for each in seen), "some are torn"


def test_a_rename_counts_once_its_folder_is_synced(tmp_path: Path) -> None:
    for seed in range(8):
        root, target = tmp_path / f"root-{seed}", tmp_path / f"after-{seed}"
        root.mkdir()
        durable_files.write_file(root / "file", b"old")
        chance = random.Random(seed)  # noqa: S311 - no secret
        with suppress(PowerLost), losing_power(root, target, 1, chance):
            durable_files.write_file(root / "file", b"new")
            durable_files.mark_crash_point("step")
        assert (target / "file").read_bytes() == b"new"


def test_counts_tell_what_is_lost_and_what_is_there_twice() -> None:
    count = Count("fault", tried=1)
    count.compare(["a", "b"], ["a", "a", "c"])
    assert (count.acknowledged, count.lost, count.doubled) == (2, 1, 1)
    assert not count.holds
    assert "DOES NOT HOLD" in count.line()
