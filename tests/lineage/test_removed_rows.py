"""What derived files of a large store keep of events that retention removed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.model.event import AuditEvent
from answerable.services.lineage.question_files import write_question_files
from answerable.store import day_files
from answerable.store.resource_days import count_resource_days
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.store_life import retain_events
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.store.test_chain_totals import take_stores_for_large

DAY = 86_400 * 10**9
FOLDERS = ("days/resources", "days/touched", "rollups")


def make_events(days: list[int]) -> list[AuditEvent]:
    return [
        event(day, event_time=NOW - day * DAY, resource=f"arn:aws:iam::1:role/r{day}")
        for day in days
    ]


def list_files(root: Path) -> dict[str, list[str]]:
    """List the files of counts by folder."""
    return {
        folder: sorted(each.name for each in (root / "derived" / folder).iterdir())
        for folder in FOLDERS
    }


@pytest.fixture
def keep_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[int], int], dict[str, list[str]]]:
    """Store events of days, count them, and keep the last days."""
    take_stores_for_large(monkeypatch)

    def keep(stored: list[int], kept: int) -> dict[str, list[str]]:
        with EvidenceStore.open(tmp_path, now=NOW) as store:
            store.append(make_events(stored), NOW)
            store.seal(NOW)
            write_question_files(store, len(stored), now=NOW)
            count_resource_days(store, ["*"], (0, NOW // DAY))
        assert all(list_files(tmp_path).values())
        return remove(kept)

    def remove(kept: int) -> dict[str, list[str]]:
        def fail(*_: object) -> None:
            raise EnvironmentFailure("the disk is full")

        monkeypatch.setattr(day_files, "_write_file", fail)
        with EvidenceStore.open(tmp_path, now=NOW) as store:
            retain_events(store, kept, "", now=NOW)
        return list_files(tmp_path)

    return keep


def test_no_counts_remain_if_all_events_are_removed(
    keep_days: Callable[[list[int], int], dict[str, list[str]]],
) -> None:
    assert not any(keep_days([41, 40], 2).values())


def test_no_counts_of_removed_events_remain_on_a_full_disk(
    keep_days: Callable[[list[int], int], dict[str, list[str]]],
) -> None:
    found = keep_days([41, 40, 1], 41)
    assert not found["days/resources"]
    assert not found["days/touched"]
    assert len(found["rollups"]) == 2  # days that kept their events
