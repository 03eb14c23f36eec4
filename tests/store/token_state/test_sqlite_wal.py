"""The write-ahead log: copied beside the commits, and begun anew once it is long."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.store.token_state import sqlite_file
from answerable.store.token_state.interface import ControlUnavailable
from answerable.store.token_state.sqlite import SqliteControl
from tests.store.token_state.sample_rows import NOW, opened


def salts(folder: Path) -> bytes:
    """What is another one each time that the log begins anew."""
    return (folder / "control.db-wal").read_bytes()[16:24]


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_log_that_is_copied_often_begins_anew_once_it_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    monkeypatch.setattr(sqlite_file, "LONG", 400_000)
    control = SqliteControl(tmp_path, NOW)
    opened(control)
    first, sizes = salts(tmp_path), [0]
    while salts(tmp_path) == first and len(sizes) < 200:
        sizes.append((tmp_path / "control.db-wal").stat().st_size)
        for _ in range(looks):
            control.sweep(NOW)
        opened(control)
    assert 400_000 < sizes[-1] < 500_000
    assert len(sizes) > 10
    control.close()


def test_a_log_that_grew_long_at_once_begins_anew_with_the_next_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "FULL", 400_000)
    monkeypatch.setattr(sqlite_file, "BUSY", 0.05)
    control = SqliteControl(tmp_path, NOW)
    opened(control)
    control.sweep(NOW)  # from now on there is a reader
    first = salts(tmp_path)
    for _ in range(60):
        opened(control)
    control.sweep(NOW)
    assert salts(tmp_path) == first
    opened(control)
    assert salts(tmp_path) != first
    control.close()


def test_where_commits_fail_nobody_keeps_the_log_from_beginning_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = SqliteControl(tmp_path, NOW)
    for _ in range(3):
        opened(control)
        control.sweep(NOW)
    first = salts(tmp_path)
    opened(control)
    assert salts(tmp_path) == first

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(control._hands, "sweep", full)
        with pytest.raises(ControlUnavailable):
            control.sweep(NOW)
    opened(control)
    assert salts(tmp_path) != first
    control.close()


def often(work: Callable[[], None]) -> None:
    for _ in range(50):
        work()


def test_it_is_closed_while_its_log_is_copied(tmp_path: Path) -> None:
    for _ in range(20):
        control = SqliteControl(tmp_path, NOW)
        opened(control)
        sweeps = threading.Thread(target=often, args=(control._file.tidy,))
        sweeps.start()
        control.close()
        sweeps.join()
        control._file.tidy()  # nothing is opened any more
