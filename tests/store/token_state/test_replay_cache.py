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
    EXPIRY_MARGIN,
    CommitOutcome,
    ExchangeCommit,
    IdConflict,
    TokenStateUnavailable,
)
from answerable.store.token_state.sqlite import SqliteTokenState
from tests.store.token_state.sample_rows import NOW, open_delegation, replay_key

LATER = NOW + 100 + EXPIRY_MARGIN
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


def read_used_keys(control: SqliteTokenState) -> list[int]:
    rows = control._execute("SELECT number FROM used ORDER BY number")
    return [number for (number,) in rows]


@settings(max_examples=60, deadline=None)
@given(deeds=DEEDS)
def test_nothing_is_seen_for_the_first_time_twice(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[int, int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("uses")
    controls = [SqliteTokenState(folder, NOW, "boot") for _ in range(2)]
    things = [replay_key(expires=SHORT if each < 2 else LONG) for each in range(5)]
    taken = open_delegation(controls[0])
    done: set[int] = set()
    for who, what, deed in deeds:
        control, thing = controls[who], things[what]
        match deed:
            case "see":
                outcome = control.record_single_use_key(thing, NOW)
                assert outcome is not CommitOutcome.DONE or what not in done
                # What ended before a sweep is refused, seen or not.
                assert outcome is CommitOutcome.DONE or what in done or what < 2
                done |= {what} if outcome is CommitOutcome.DONE else set()
            case "refused":
                (answer,) = control.commit_batch(
                    [ExchangeCommit((thing,), opens=taken)], NOW
                )
                assert what in done or what < 2 or isinstance(answer, IdConflict)
            case "sweep":
                control.delete_expired(LATER)
            case _:
                control.close()
                controls[who] = SqliteTokenState(folder, NOW, "boot")
    for control in controls:
        control.close()


def test_the_last_one_stays_so_that_others_tell_there_are_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follow(folder: Path) -> CommitOutcome:
        """Have one process go on where another one has swept."""
        one, other = (SqliteTokenState(folder, NOW, "boot") for _ in range(2))
        for _ in range(2):
            other.record_single_use_key(replay_key(expires=SHORT), NOW)
        one.delete_expired(LATER)
        later = [replay_key(expires=LONG) for _ in range(2)]
        for each in later:
            one.record_single_use_key(each, NOW)
        seen = other.record_single_use_key(later[0], NOW)
        one.close()
        other.close()
        return seen

    assert follow(tmp_path / "right") is CommitOutcome.SEEN
    # A planted mistake: where all of them go, numbers begin anew.
    without = tuple((*each[:3], "") for each in sqlite_expiry._EXPIRING_TABLES)
    monkeypatch.setattr(sqlite_expiry, "_EXPIRING_TABLES", without)
    assert follow(tmp_path / "wrong") is CommitOutcome.DONE


def test_what_ended_is_forgotten_in_memory_too(tmp_path: Path) -> None:
    control = SqliteTokenState(tmp_path, NOW, "boot")
    for each in range(50):
        control.record_single_use_key(
            replay_key(expires=LONG if each % 2 else SHORT), NOW
        )
    assert len(control._uses._seen) == 50
    control.delete_expired(LATER)
    assert len(control._uses._seen) == 25
    assert len(read_used_keys(control)) == 25
    control.close()


def test_a_process_that_starts_knows_what_was_used(tmp_path: Path) -> None:
    first = SqliteTokenState(tmp_path, NOW, "boot")
    things = [replay_key() for _ in range(20)]
    for each in things:
        first.record_single_use_key(each, NOW)
    second = SqliteTokenState(tmp_path, NOW, "boot")
    assert len(second._uses._seen) == 20
    assert {second.record_single_use_key(each, NOW) for each in things} == {
        CommitOutcome.SEEN
    }
    first.close()
    second.close()


def test_an_idle_process_catches_up_as_it_sweeps(tmp_path: Path) -> None:
    one, idle = (SqliteTokenState(tmp_path, NOW, "boot") for _ in range(2))
    for _ in range(20):
        one.record_single_use_key(replay_key(), NOW)
    assert len(idle._uses._seen) == 0
    idle.delete_expired(NOW)
    assert len(idle._uses._seen) == 20
    one.close()
    idle.close()


def test_a_process_that_cannot_catch_up_lets_go_of_the_file(tmp_path: Path) -> None:
    SqliteTokenState(tmp_path, NOW, "boot").close()
    with sqlite3.connect(tmp_path / "control.db") as raw:
        raw.execute("DROP TABLE used")
    raw.close()
    with pytest.raises(TokenStateUnavailable):
        SqliteTokenState(tmp_path, NOW, "boot")
    lock = os.open(tmp_path / "control.db.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has it
    os.close(lock)
