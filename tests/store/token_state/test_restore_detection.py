"""A database put back from an older copy: what could count as fresh again is ended."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from answerable.store.token_state.interface import CommitOutcome, TokenState
from answerable.store.token_state.open_state import open_token_state
from answerable.store.token_state.restore_detection import (
    GENERATION_FILE,
    RestoreRevocations,
    advance_generation,
    revoke_after_restore,
    revoke_if_restored,
)
from tests.store.token_state.conftest import BOTH
from tests.store.token_state.postgres_server import _as_postgres, _programs
from tests.store.token_state.sample_rows import (
    NOW,
    open_chain,
    open_delegation,
    replay_key,
    signing_key,
    ticket,
)

LATER = NOW + 100


class RestorableState:
    """A state folder and its database, with a copy of the database."""

    def __init__(self, folder: Path, address: str) -> None:
        self.state, self.address = folder / "state", address
        self._copy = folder / "copy"

    def open(self) -> TokenState:
        return open_token_state(
            self.state, NOW, "DB" if self.address else "", {"DB": self.address}
        )

    def start(self, now: float = LATER) -> RestoreRevocations | None:
        """Open it as a token service does, and close it."""
        with closing(self.open()) as control:
            return revoke_if_restored(control, self.state, now)

    def stop(self) -> None:
        """Close it as a token service does."""
        with closing(self.open()) as control:
            advance_generation(control, self.state)

    def copy(self) -> None:
        if self.address:
            self._copy.write_bytes(
                _tool("pg_dump", self.address, "-n", "answerable_sts")
            )
        else:
            shutil.copy(self.state / "control.db", self._copy)

    def put_back(self, how: str = "over") -> None:
        if self.address:
            import psycopg

            with psycopg.connect(self.address, autocommit=True) as connection:
                connection.execute("DROP SCHEMA answerable_sts CASCADE")
            _tool("psql", self.address, "-q", given=self._copy.read_bytes())
            return
        for name in ("control.db-wal", "control.db-shm"):
            (self.state / name).unlink(missing_ok=True)
        if how == "new":
            (self.state / "control.db").rename(self.state / "old.db")
            shutil.copy(self._copy, self.state / "control.db")
        else:
            (self.state / "control.db").write_bytes(self._copy.read_bytes())


def _tool(name: str, address: str, *words: str, given: bytes = b"") -> bytes:
    command = [str(_programs() / name), address, *words]
    done = subprocess.run(
        _as_postgres(command), input=given, capture_output=True, check=True, cwd="/"
    )
    return done.stdout


@pytest.fixture(params=BOTH)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> RestorableState:
    address = ""
    if request.param == "postgres":
        address = request.getfixturevalue("database")
    return RestorableState(tmp_path, address)


def test_starts_and_stops_end_nothing(site: RestorableState) -> None:
    for _ in range(3):
        assert site.start() is None
        site.stop()
    with closing(site.open()) as control:
        root = open_delegation(control)
        revoke_if_restored(control, site.state, LATER)
        assert control.find_delegation_chain(root.id, NOW).is_active
        assert control.read_complete_since() == 0


@pytest.mark.parametrize("how", ["over", "new"])
def test_an_older_copy_that_was_put_back_is_found(
    site: RestorableState, how: str
) -> None:
    assert site.start() is None
    with closing(site.open()) as control:
        first, second = open_delegation(control), open_delegation(control)
        control.publish_signing_key(signing_key("a"))
        control.publish_signing_key(signing_key("b"))
        slip = ticket(first)
        control.store_ticket(slip, NOW)
    site.copy()
    spent = replay_key()
    with closing(site.open()) as control:
        control.record_single_use_key(spent, NOW)
        control.revoke_delegation(second.id, NOW)
        control.revoke_signing_key("b", NOW)
        advance_generation(control, site.state)
    site.put_back(how)
    ended = site.start()
    assert ended is not None
    assert (ended.epoch, ended.delegations, ended.keys) == (LATER, 2, ("a", "b"))
    with closing(site.open()) as control:
        # Nothing that was used, revoked or killed since the copy counts as fresh.
        assert control.record_single_use_key(spent, LATER) is CommitOutcome.PERHAPS_SEEN
        assert (
            control.record_single_use_key(replay_key(since=LATER), LATER)
            is CommitOutcome.DONE
        )
        assert not control.find_delegation_chain(second.id, LATER).is_active
        assert not control.find_delegation_chain(first.id, LATER).is_active
        assert control.find_ticket(slip.sha256, LATER) is None
        keys = control.list_signing_keys()
        assert all(each.killed for each in keys)
    assert site.start() is None, "it is ended once"


def test_it_is_found_after_a_kill_of_the_process_too(site: RestorableState) -> None:
    """The last process was killed: what it counted is in the file all the same."""
    site.start()
    site.copy()
    control = site.open()
    advance_generation(control, site.state)  # as once a minute
    control.close()
    site.put_back()
    assert site.start() is not None


def test_a_lost_or_torn_mark_is_no_older_copy(site: RestorableState) -> None:
    site.start()
    for content in (None, b"", b"\0\0", b"12x\n", b"9" * 40):
        mark = site.state / GENERATION_FILE
        if content is None:
            mark.unlink()
        else:
            mark.write_bytes(content)
        assert site.start() is None
        assert int(mark.read_text()) > 0


def test_the_command_ends_all_where_nothing_tells(site: RestorableState) -> None:
    site.start()
    with closing(site.open()) as control:
        root, child, leaf = open_chain(control, 3)
        assert control.revoke_delegation(leaf.id, NOW).delegations == (leaf.id,)
        ended = revoke_after_restore(control, site.state, LATER)
        assert ended.delegations == 2
        assert not control.find_delegation_chain(child.id, LATER).is_active
        assert not control.find_delegation_chain(root.id, LATER).is_active
    assert site.start() is None
