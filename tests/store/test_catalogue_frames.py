"""The file of the catalogue is written again when it has many frames."""

from pathlib import Path

import pytest

from answerable.store import segment_catalogue
from answerable.store.segment_statistics import SegmentStatistics
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.conftest import _make as event


def read_statistics(root: Path) -> dict[str, SegmentStatistics]:
    with EvidenceStore.open(root, now=NOW) as store:
        return dict(store.queries.get_current_sources().statistics)


def count_frames(root: Path) -> int:
    data = (root / "derived" / "segments.bin").read_bytes()
    frames = 0
    while data:
        data = data[28 + int.from_bytes(data[:4], "big") :]  # length and MAC
        frames += 1
    return frames


def test_many_frames_become_one_with_the_same_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        with EvidenceStore.open(tmp_path, now=NOW) as store:
            store.append([event(number)], NOW)
            store.seal(NOW)
    before = read_statistics(tmp_path)
    assert len(before) == count_frames(tmp_path) == 5
    monkeypatch.setattr(segment_catalogue, "_MAX_FRAMES", 4)
    assert read_statistics(tmp_path) == before
    assert count_frames(tmp_path) == 1
    assert read_statistics(tmp_path) == before
