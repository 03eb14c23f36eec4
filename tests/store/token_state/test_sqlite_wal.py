"""The write-ahead log: copied beside the commits, and begun anew once it is long."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.store.token_state import sqlite_file
from answerable.store.token_state.interface import TokenStateUnavailable
from answerable.store.token_state.sqlite import SqliteTokenState
from tests.store.token_state.sample_rows import NOW, open_delegation


def salts(folder: Path) -> bytes:
    """What is another one each time that the log begins anew."""
    return (folder / "control.db-wal").read_bytes()[16:24]


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_log_that_is_copied_often_begins_anew_once_it_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    monkeypatch.setattr(sqlite_file, "WAL_CHECKPOINT_BYTES", 400_000)
    control = SqliteTokenState(tmp_path, NOW)
    open_delegation(control)
    first, sizes = salts(tmp_path), [0]
    while salts(tmp_path) == first and len(sizes) < 200:
        sizes.append((tmp_path / "control.db-wal").stat().st_size)
        for _ in range(looks):
            control.delete_expired(NOW)
        open_delegation(control)
    assert 400_000 < sizes[-1] < 500_000
    assert len(sizes) > 10
    control.close()


def test_a_log_that_grew_long_at_once_begins_anew_with_the_next_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "WAL_WAIT_BYTES", 400_000)
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT", 0.05)
    control = SqliteTokenState(tmp_path, NOW)
    open_delegation(control)
    control.delete_expired(NOW)  # from now on there is a reader
    first = salts(tmp_path)
    for _ in range(60):
        open_delegation(control)
    control.delete_expired(NOW)
    assert salts(tmp_path) == first
    open_delegation(control)
    assert salts(tmp_path) != first
    control.close()


def test_where_commits_fail_nobody_keeps_the_log_from_beginning_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = SqliteTokenState(tmp_path, NOW)
    for _ in range(3):
        open_delegation(control)
        control.delete_expired(NOW)
    first = salts(tmp_path)
    open_delegation(control)
    assert salts(tmp_path) == first

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(control._expiry, "delete_expired_at_cursors", full)
        with pytest.raises(TokenStateUnavailable):
            control.delete_expired(NOW)
    open_delegation(control)
    assert salts(tmp_path) != first
    control.close()


def often(work: Callable[[], None]) -> None:
    for _ in range(50):
        work()


def test_it_is_closed_while_its_log_is_copied(tmp_path: Path) -> None:
    for _ in range(20):
        control = SqliteTokenState(tmp_path, NOW)
        open_delegation(control)
        sweeps = threading.Thread(target=often, args=(control._file.checkpoint_wal,))
        sweeps.start()
        control.close()
        sweeps.join()
        control._file.checkpoint_wal()  # nothing is opened any more
