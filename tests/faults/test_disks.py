"""A limit of file size is reached soon: the fault of `make faults` ends, and holds."""

import random
from pathlib import Path

import pytest

from tests.faults import disks
from tests.faults.counts import Count


def test_a_file_size_limit_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disks, "ROUNDS", 1)
    monkeypatch.setattr(disks, "FILE_LIMITS", (99_999, 100_000))
    count = Count("file size limit reached")
    disks._limited(tmp_path, random.Random(1), count)  # noqa: S311 - no secret
    assert count.holds, count
    assert count.acknowledged < 10_000
