"""The file: its user's alone, versioned, and honest about what a crash may have lost."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.token_claims import DpopProof
from answerable.store.token_state import sqlite_file
from answerable.store.token_state.interface import (
    CommitOutcome,
    ExchangeCommit,
    InactiveReason,
    TokenStateUnavailable,
)
from answerable.store.token_state.open_state import open_token_state
from answerable.store.token_state.replay_keys import build_dpop_replay_key
from answerable.store.token_state.row_encoding import encode_row_as_json
from answerable.store.token_state.sqlite import SqliteTokenState
from answerable.store.token_state.sqlite_schema import MIGRATIONS
from tests.store.token_state.sample_rows import (
    NOW,
    delegation,
    open_delegation,
    replay_key,
    ticket,
    token,
)


def crashed(folder: Path) -> Path:
    """A copy of the folder as it lies there now, with nobody who closed it."""
    copy = folder.with_name(f"{folder.name}-copy")
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(folder, copy))


def test_the_files_are_readable_by_their_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "sts"
    control = SqliteTokenState(folder, NOW)
    open_delegation(control)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes) >= {"control.db", "control.db-wal", "control.db.lock"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    control.close()


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    SqliteTokenState(tmp_path, NOW).close()
    (tmp_path / "control.db").chmod(0o640)
    with pytest.raises(EnvironmentFailure, match="others can read it"):
        SqliteTokenState(tmp_path, NOW)


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "control.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentFailure, match=r"control\.db"):
        SqliteTokenState(tmp_path, NOW)
    assert not (tmp_path / "elsewhere").exists()


def test_a_newer_file_is_refused_clearly_and_left_alone(tmp_path: Path) -> None:
    SqliteTokenState(tmp_path, NOW).close()
    with sqlite3.connect(tmp_path / "control.db") as raw:
        raw.execute("INSERT INTO migration VALUES (9)")
    raw.close()
    before = (tmp_path / "control.db").read_bytes()
    with pytest.raises(
        EnvironmentFailure, match="has version 9, this release reads up to 4"
    ):
        SqliteTokenState(tmp_path, NOW)
    assert (tmp_path / "control.db").read_bytes() == before


def test_a_file_of_the_first_release_keeps_what_it_remembers(tmp_path: Path) -> None:
    root, shown = delegation(), replay_key()
    children = [delegation(root) for _ in range(3)]
    given = token(root)
    path = tmp_path / "control.db"
    path.touch(mode=0o600)
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA page_size = 4096")
        raw.execute("CREATE TABLE migration (version INTEGER PRIMARY KEY) STRICT")
        raw.execute("INSERT INTO migration VALUES (1)")
        for statement in MIGRATIONS[0]:
            raw.execute(statement)
        for link in (root, *children):
            revoked = NOW if link is children[0] else 0
            row = (
                link.id,
                link.parent or None,
                link.expires,
                revoked,
                encode_row_as_json(link),
            )
            raw.execute("INSERT INTO delegation VALUES (?, ?, ?, ?, ?)", row)
        row = (given.jti, given.delegation, given.sha256, given.expires, 0)
        raw.execute("INSERT INTO token VALUES (?, ?, ?, ?, ?)", row)
        raw.execute("INSERT INTO seen VALUES (?, ?)", (shown.key, shown.expires))
    raw.close()
    for _ in range(2):  # and again, once it is of this release
        after = SqliteTokenState(tmp_path, NOW)
        assert after.find_delegation_chain(children[1].id, NOW).links == (
            children[1],
            root,
        )
        assert after.list_child_delegations(root.id) == tuple(children)
        assert (
            after.find_delegation_chain(children[0].id, NOW).why
            is InactiveReason.REVOKED
        )
        assert after.record_single_use_key(shown, NOW) is CommitOutcome.SEEN
        assert after.find_token(root.id, given.jti) == given
        after.close()
    assert after._file._page == 4096
    new = SqliteTokenState(tmp_path / "new", NOW)
    assert new._file._page == sqlite_file.PAGE_BYTES != 4096
    new.close()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_bytes(b"no database" * 1000)
    (tmp_path / "control.db").chmod(0o600)
    with pytest.raises(EnvironmentFailure, match="is damaged"):
        SqliteTokenState(tmp_path, NOW)


def test_a_clean_stop_begins_no_epoch(tmp_path: Path) -> None:
    control = SqliteTokenState(tmp_path, NOW, "boot 1")
    root, one = open_delegation(control), replay_key()
    made = ticket(root)
    control.store_ticket(made, NOW)
    control.record_single_use_key(one, NOW)
    control.close()
    after = SqliteTokenState(tmp_path, NOW + 5, "boot 2")
    assert after.read_complete_since() == 0
    assert after.record_single_use_key(one, NOW + 5) is CommitOutcome.SEEN
    assert after.find_ticket(made.sha256, NOW + 5) == made
    after.close()


def test_a_stop_with_the_machine_begins_an_epoch(tmp_path: Path) -> None:
    folder = tmp_path / "sts"
    control = SqliteTokenState(folder, NOW, "boot 1")
    root = open_delegation(control)
    made = ticket(root)
    control.store_ticket(made, NOW)
    copy = crashed(folder)
    lost = replay_key()  # as if its record had not reached the disk
    after = SqliteTokenState(copy, NOW + 5.2, "boot 2")
    assert after.read_complete_since() == NOW + 6
    assert after.record_single_use_key(lost, NOW + 6) is CommitOutcome.PERHAPS_SEEN
    assert after.find_ticket(made.sha256, NOW + 6) is None
    assert (
        after.record_single_use_key(replay_key(since=NOW + 6), NOW + 40)
        is CommitOutcome.DONE
    )
    # Another process of the same start finds the epoch, and begins none.
    beside = SqliteTokenState(copy, NOW + 60, "boot 2")
    assert beside.read_complete_since() == NOW + 6
    for each in (beside, after, control):
        each.close()
    last = SqliteTokenState(copy, NOW + 90, "boot 3")
    assert last.read_complete_since() == NOW + 6
    last.close()


def test_whatever_a_loss_of_power_took_nothing_is_seen_as_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The end of the log is gone, at any length; what it held is refused all the same."""
    folder = tmp_path / "sts"
    control = SqliteTokenState(folder, NOW, "boot 1")
    uses, roots, made = (
        [replay_key() for _ in range(40)],
        [open_delegation(control)],
        [],
    )
    for one in uses:
        control.record_single_use_key(one, NOW)
        roots.append(open_delegation(control))
        made.append(ticket(roots[-1]))
        control.store_ticket(made[-1], NOW)
        taken = ExchangeCommit(
            ticket=made[-1].sha256, under=roots[-1].id, token=token(roots[-1])
        )
        assert control.commit(taken, NOW).outcome is CommitOutcome.DONE
    lost = asked = 0
    whole = (folder / "control.db-wal").stat().st_size
    for kept in range(0, whole, whole // 12):
        copy = crashed(folder)
        with (copy / "control.db-wal").open("r+b") as log:
            log.truncate(kept)
        after = SqliteTokenState(copy, NOW + 5, "boot 2")
        found = [after.record_single_use_key(one, NOW + 5) for one in uses]
        assert set(found) <= {CommitOutcome.SEEN, CommitOutcome.PERHAPS_SEEN}
        assert {after.find_ticket(each.sha256, NOW + 5) for each in made} == {None}
        lost += found.count(CommitOutcome.PERHAPS_SEEN)
        asked += len(found) + len(made)
        after.close()
    control.close()
    assert lost
    with capsys.disabled():
        print(f"\n{asked} asked for again after a loss, {lost} lost: none given twice")


@pytest.mark.parametrize("first", [0, 1])
def test_the_last_of_several_closes_for_all(tmp_path: Path, first: int) -> None:
    pair = [SqliteTokenState(tmp_path, NOW, "boot 1") for _ in range(2)]
    pair[first].close()
    open_delegation(pair[1 - first])
    pair[1 - first].close()
    after = SqliteTokenState(tmp_path, NOW + 5, "boot 2")
    assert after.read_complete_since() == 0
    after.close()


def test_one_that_was_killed_loses_nothing_while_the_machine_runs(
    tmp_path: Path,
) -> None:
    script = """
import os, sys
from pathlib import Path
from answerable.store.token_state.sqlite import SqliteTokenState
from tests.store.token_state.sample_rows import NOW, replay_key
state = SqliteTokenState(Path(sys.argv[1]), NOW)
for number in range(200):
    state.record_single_use_key(replay_key(f"n{number}"), NOW)
os.kill(os.getpid(), 9)
"""
    root = Path(__file__).parents[3]
    child = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=root, check=False
    )
    assert child.returncode == -9
    after = SqliteTokenState(tmp_path, NOW + 5)
    assert after.read_complete_since() == 0
    found = {
        after.record_single_use_key(replay_key(f"n{number}"), NOW + 5)
        for number in range(200)
    }
    assert found == {CommitOutcome.SEEN}
    after.close()


def test_without_a_name_for_the_machines_start_each_unclosed_stop_counts(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sts"
    control = SqliteTokenState(folder, NOW, "")
    copy = crashed(folder)
    after = SqliteTokenState(copy, NOW + 5, "")
    assert after.read_complete_since() == NOW + 5
    after.close()
    control.close()
    again = SqliteTokenState(copy, NOW + 9, "")
    assert again.read_complete_since() == NOW + 5
    again.close()


@pytest.mark.parametrize(
    ("fresh", "outcome"), [(True, "done"), (False, "perhaps-seen")]
)
def test_after_an_epoch_a_proof_needs_a_nonce(
    tmp_path: Path, fresh: bool, outcome: str
) -> None:
    control = SqliteTokenState(tmp_path, NOW)
    control.declare_possible_loss(NOW)
    proof = DpopProof("thumbprint", "one", NOW + 5, NOW + 65)
    assert (
        control.record_single_use_key(
            build_dpop_replay_key(proof, has_fresh_nonce=fresh), NOW + 5
        )
        == outcome
    )
    control.close()


@pytest.mark.parametrize("end", ["revoke_delegation", "kill_key", "new_epoch"])
def test_what_ends_something_is_synced_with_all_before_it(
    tmp_path: Path, end: str
) -> None:
    """What was synced is in the file as another machine would find it."""
    control = SqliteTokenState(tmp_path, NOW)
    said: list[str] = []
    control._file.connection.set_trace_callback(said.append)
    {
        "revoke_delegation": lambda: control.revoke_delegation("x", NOW),
        "kill_key": lambda: control.revoke_signing_key("x", NOW),
        "new_epoch": lambda: control.declare_possible_loss(NOW),
    }[end]()
    control._file.connection.set_trace_callback(None)
    assert said.index("PRAGMA synchronous = FULL") < said.index("COMMIT")
    assert said[-1] == "PRAGMA synchronous = NORMAL"
    control.close()


def test_a_file_that_does_not_answer_refuses_and_says_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.store.token_state.sqlite_file.BUSY_TIMEOUT", 0.1)
    control = SqliteTokenState(tmp_path, NOW)
    other = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TokenStateUnavailable, match="SQLITE_BUSY"):
        control.record_single_use_key(replay_key(), NOW)
    other.execute("ROLLBACK")
    other.close()
    made = delegation()
    asked = ExchangeCommit((replay_key(),), opens=made, token=token(made))
    assert control.commit(asked, NOW).outcome is CommitOutcome.DONE
    control.close()
    with pytest.raises(TokenStateUnavailable, match="closed"):
        control.record_single_use_key(replay_key(), NOW)


def test_which_one_is_used_stands_in_the_configuration(tmp_path: Path) -> None:
    open_token_state(tmp_path, NOW).close()
    with pytest.raises(UsageError, match="STS_DATABASE is not set"):
        open_token_state(tmp_path, NOW, "STS_DATABASE", {})


def test_a_clock_that_is_not_set_yet_begins_no_epoch_of_the_past(
    tmp_path: Path,
) -> None:
    control = SqliteTokenState(tmp_path / "sts", NOW, "boot 1")
    assert control.record_single_use_key(
        replay_key("ended", since=NOW - 990, expires=NOW - 900), NOW - 910
    )
    control.delete_expired(NOW)
    copy = crashed(tmp_path / "sts")
    lost = replay_key("lost", since=NOW - 30, expires=NOW + 600)
    assert control.record_single_use_key(lost, NOW) is CommitOutcome.DONE
    control.close()
    control = SqliteTokenState(copy, NOW - 86_400, "boot 2")
    assert control.read_complete_since() == NOW
    assert control.record_single_use_key(lost, NOW + 60) is CommitOutcome.PERHAPS_SEEN
    control.close()


@pytest.mark.bench
def test_a_commit_costs_80_microseconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from answerable.store.token_state.interface import generate_id

    control = SqliteTokenState(tmp_path, NOW)
    count = 50_000
    asked = []
    for number in range(count):
        now = NOW + number // 2500
        made = delegation(id=generate_id(now), expires=now + 600)
        given = token(made, jti=generate_id(now), expires=now + 600)
        uses = (
            replay_key(os.urandom(8).hex(), expires=now + 600),
            replay_key(os.urandom(8).hex(), expires=now + 60),
        )
        asked.append((ExchangeCommit(uses, opens=made, token=given), now))
    ended = threading.Event()

    def sweeps() -> None:
        while not ended.wait(1):
            control.delete_expired(NOW)

    aside = threading.Thread(target=sweeps)
    aside.start()
    begun, wall = time.process_time(), time.monotonic()
    for exchange, now in asked:
        control.commit(exchange, now)
    each = (time.process_time() - begun) / count * 1e6
    waited = (time.monotonic() - wall) / count * 1e6
    ended.set()
    aside.join()
    with capsys.disabled():
        print(f"\n{each:.0f} us CPU, {waited:.0f} us wall for each of {count} commits")
    control.close()
    assert each <= 160  # twice the target: the machine is shared
