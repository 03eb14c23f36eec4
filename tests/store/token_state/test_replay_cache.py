"""What is good once: seen in memory, kept in the file, and the same for every process."""

import fcntl
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.store.token_state import sqlite_expiry
from answerable.store.token_state.interface import (
    MARGIN,
    ControlUnavailable,
    Exchange,
    IdTaken,
    Outcome,
)
from answerable.store.token_state.sqlite import SqliteControl
from tests.store.token_state.sample_rows import NOW, opened, use

LATER = NOW + 100 + MARGIN
SHORT, LONG = NOW + 10, NOW + 100_000

# Which of two processes does it, with which of five things, and what.
DEEDS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 4),
        st.sampled_from(["see", "see", "see", "refused", "sweep", "again"]),
    ),
    max_size=25,
)


def used_in(control: SqliteControl) -> list[int]:
    rows = control._execute("SELECT number FROM used ORDER BY number")
    return [number for (number,) in rows]


@settings(max_examples=60, deadline=None)
@given(deeds=DEEDS)
def test_nothing_is_seen_for_the_first_time_twice(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[int, int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("uses")
    controls = [SqliteControl(folder, NOW, "boot") for _ in range(2)]
    things = [use(expires=SHORT if each < 2 else LONG) for each in range(5)]
    taken = opened(controls[0])
    done: set[int] = set()
    for who, what, deed in deeds:
        control, thing = controls[who], things[what]
        match deed:
            case "see":
                outcome = control.see(thing, NOW)
                assert outcome is not Outcome.DONE or what not in done
                # What ended before a sweep is refused, seen or not.
                assert outcome is Outcome.DONE or what in done or what < 2
                done |= {what} if outcome is Outcome.DONE else set()
            case "refused":
                (answer,) = control.commit_all([Exchange((thing,), opens=taken)], NOW)
                assert what in done or what < 2 or isinstance(answer, IdTaken)
            case "sweep":
                control.sweep(LATER)
            case _:
                control.close()
                controls[who] = SqliteControl(folder, NOW, "boot")
    for control in controls:
        control.close()


def test_the_last_one_stays_so_that_others_tell_there_are_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follow(folder: Path) -> Outcome:
        """Have one process go on where another one has swept."""
        one, other = (SqliteControl(folder, NOW, "boot") for _ in range(2))
        for _ in range(2):
            other.see(use(expires=SHORT), NOW)
        one.sweep(LATER)
        later = [use(expires=LONG) for _ in range(2)]
        for each in later:
            one.see(each, NOW)
        seen = other.see(later[0], NOW)
        one.close()
        other.close()
        return seen

    assert follow(tmp_path / "right") is Outcome.SEEN
    # A planted mistake: where all of them go, numbers begin anew.
    without = tuple((*each[:3], "") for each in sqlite_expiry._SWEPT)
    monkeypatch.setattr(sqlite_expiry, "_SWEPT", without)
    assert follow(tmp_path / "wrong") is Outcome.DONE


def test_what_ended_is_forgotten_in_memory_too(tmp_path: Path) -> None:
    control = SqliteControl(tmp_path, NOW, "boot")
    for each in range(50):
        control.see(use(expires=LONG if each % 2 else SHORT), NOW)
    assert len(control._uses._seen) == 50
    control.sweep(LATER)
    assert len(control._uses._seen) == 25
    assert len(used_in(control)) == 25
    control.close()


def test_a_process_that_starts_knows_what_was_used(tmp_path: Path) -> None:
    first = SqliteControl(tmp_path, NOW, "boot")
    things = [use() for _ in range(20)]
    for each in things:
        first.see(each, NOW)
    second = SqliteControl(tmp_path, NOW, "boot")
    assert len(second._uses._seen) == 20
    assert {second.see(each, NOW) for each in things} == {Outcome.SEEN}
    first.close()
    second.close()


def test_an_idle_process_catches_up_as_it_sweeps(tmp_path: Path) -> None:
    one, idle = (SqliteControl(tmp_path, NOW, "boot") for _ in range(2))
    for _ in range(20):
        one.see(use(), NOW)
    assert len(idle._uses._seen) == 0
    idle.sweep(NOW)
    assert len(idle._uses._seen) == 20
    one.close()
    idle.close()


def test_a_process_that_cannot_catch_up_lets_go_of_the_file(tmp_path: Path) -> None:
    SqliteControl(tmp_path, NOW, "boot").close()
    with sqlite3.connect(tmp_path / "control.db") as raw:
        raw.execute("DROP TABLE used")
    raw.close()
    with pytest.raises(ControlUnavailable):
        SqliteControl(tmp_path, NOW, "boot")
    lock = os.open(tmp_path / "control.db.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has it
    os.close(lock)
