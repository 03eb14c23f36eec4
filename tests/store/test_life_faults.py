"""Compaction, retention and erasure that end at any step: nothing else is lost."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.progress import ignore_progress_report
from answerable.store import durable_files
from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.fsck import verify_store
from answerable.store.retention import apply_retention
from answerable.store.store import EvidenceStore
from answerable.store.store_repair import repair_store
from answerable.usecases.evidence.erase_person import erase_person
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

ADA = "ada@example.com"
DAY = 86_400 * 10**9
_LOG = ("write", "log-begin", "log-entries", "log-tiles", "log-checkpoint")
_COPY = ("segment-parquet-write",)
_OBJECT = ("object-written", "object-logged")
_REMOVAL = ("removal-parquet", "removal-rows", "removal-written", "removal-committed")
STEPS = {
    "compact": (
        *_LOG,
        *_COPY,
        *("compact-parquet", "compact.leaves", "compact.order", "compact.manifest"),
        *("compact-written", "compact-committed", "compact-removed"),
    ),
    "retain": (*_LOG, *_COPY, *_OBJECT, *_REMOVAL, "removal-deleted"),
    "erase": (
        *_LOG,
        *_COPY,
        *_OBJECT,
        *_REMOVAL,
        *("removal-deleted", "erasure-objects-logged", "erasure-objects-deleted"),
        "erasure-caches-deleted",
    ),
}
ACTS: dict[str, Callable[[EvidenceStore], object]] = {
    "compact": lambda store: [
        compact_segments(store, group, NOW) for group in plan_compaction(store)
    ],
    "retain": lambda store: apply_retention(store, 1, "okta", NOW, dry_run=False),
    "erase": lambda store: erase_person(store, [ADA], "asked", now=NOW),
}


class ProcessEnded(BaseException):
    """The process ends at a step."""


def end_at(step: str, times: int) -> Callable[[str], None]:
    """Build a hook that ends the process when it has reached a step some times."""
    seen = 0

    def hook(name: str) -> None:
        nonlocal seen
        seen += name == step
        if name == step and seen > times:
            raise ProcessEnded

    return hook


def write(root: Path) -> None:
    for batch in range(2):
        with EvidenceStore.open(root, now=NOW) as store:
            rows = [
                event(
                    batch * 100 + number,
                    event_time=NOW - DAY + batch * 50 + number,
                    source="okta" if number % 2 else "cloudtrail",
                    person=f"person:{ADA}" if number == 2 else "",
                )
                for number in range(5)
            ]
            store.append(rows, NOW)
            store.seal(NOW)
            if not batch:
                store.put_object("baseline-test", ADA.encode(), NOW)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("written") / "store"
    write(place)
    return place


def read_rows(store: EvidenceStore) -> set[tuple[object, ...]]:
    """Read the events, each stored once."""
    rows = store.run_query("SELECT event_id, source, person FROM events")
    assert len(rows) == len(set(rows))
    return set(rows)


@pytest.fixture(scope="module")
def before(written: Path) -> set[tuple[object, ...]]:
    with EvidenceStore.open(written, now=NOW, create=False) as store:
        return read_rows(store)


@pytest.mark.parametrize(
    ("act", "step"), [(act, step) for act, steps in STEPS.items() for step in steps]
)
def test_an_act_that_ends_at_a_step_is_repeated_harmlessly(
    written: Path,
    before: set[tuple[object, ...]],
    tmp_path: Path,
    act: str,
    step: str,
) -> None:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        durable_files.crash_hook = end_at(step, 0)
        with pytest.raises(ProcessEnded):
            ACTS[act](store)
        durable_files.crash_hook = None
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        repair_store(store, None, NOW, dry_run=False)
        assert all(
            check.ok
            for check in verify_store(store, None, None, ignore_progress_report)
        )
        after = read_rows(store)
        kept = {
            "compact": before,
            "retain": {row for row in before if row[1] != "okta"},
            "erase": {row for row in before if not row[2]},
        }[act]
        assert after in (before, kept)
        ACTS[act](store)
        assert read_rows(store) == kept
        assert all(
            check.ok
            for check in verify_store(store, None, None, ignore_progress_report)
        )
        name = f"person:{ADA}".encode()
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert act != "erase" or not any(name in path.read_bytes() for path in files)


@pytest.mark.parametrize("act", STEPS)
def test_the_steps_above_are_the_steps_of_the_store(
    written: Path, tmp_path: Path, act: str
) -> None:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        seen: list[str] = []
        durable_files.crash_hook = seen.append
        ACTS[act](store)
        durable_files.crash_hook = None
    assert set(seen) == set(STEPS[act])
