"""What is acknowledged is on disk, and a name appears only for a whole file."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.event import AuditEvent
from answerable.store import durable_files
from answerable.store.store import EvidenceStore

Make = Callable[..., AuditEvent]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record, in order, what is made durable and what is renamed."""
    seen: list[str] = []
    fsync, fdatasync, replace = os.fsync, os.fdatasync, os.replace

    def name(handle: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{handle}")).name

    def synced(handle: int) -> None:
        seen.append(f"sync {name(handle)}")
        fsync(handle)

    def data_synced(handle: int) -> None:
        seen.append(f"sync {name(handle)}")
        fdatasync(handle)

    def renamed(source: str, target: str, **more: int) -> None:
        seen.append(f"rename {Path(target).name}")
        replace(source, target, **more)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr("os.fdatasync", data_synced)
    monkeypatch.setattr("os.replace", renamed)
    return seen


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="needs /proc to name open files"
)


def test_a_batch_is_synced_before_append_returns(
    store: EvidenceStore, make: Make, now: int, calls: list[str]
) -> None:
    store.append([make(0)], now)
    (journal,) = store.layout.journal.glob("*.log")
    assert f"sync {journal.name}" in calls
    assert "sync journal" in calls
    calls.clear()
    store.append([make(1)], now)
    assert calls == [f"sync {journal.name}"]


def test_a_file_is_synced_renamed_and_its_folder_synced(
    tmp_path: Path, calls: list[str]
) -> None:
    durable_files.write_file(tmp_path / "file", b"content")
    beside = f".file.{os.getpid()}.new"
    assert calls == [f"sync {beside}", "rename file", f"sync {tmp_path.name}"]


def test_segments_are_durable_before_the_log_commits_to_them(
    store: EvidenceStore, make: Make, now: int, calls: list[str]
) -> None:
    store.append([make(0)], now)
    calls.clear()
    store.seal(now)
    commit = calls.index("rename checkpoint")
    (segment,) = store.layout.segments.glob("*/*.parquet")
    for ending in (".parquet", ".leaves", ".manifest.json"):
        renamed = calls.index(f"rename {segment.stem}{ending}")
        assert renamed < commit
        assert f"sync {segment.parent.name}" in calls[renamed:commit]
    (bundle,) = (store.layout.log / "tile" / "entries" / "000.p").iterdir()
    assert calls.index(f"rename {bundle.name}") < commit
    assert calls[commit + 1] == "sync log"
    # The journal is removed after that, and nothing but the cache follows.
    removed = calls.index("sync journal", commit + 2)
    assert "sync journal" not in calls[:commit]
    assert set(calls[removed + 1 :]) <= {"sync store"}
