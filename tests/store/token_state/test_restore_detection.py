"""A database put back from an older copy: what could count as fresh again is ended."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from answerable.store.token_state.interface import Control, Outcome
from answerable.store.token_state.open_state import open_control
from answerable.store.token_state.restore_detection import (
    MARK,
    Ended,
    count_up,
    end_if_older,
    end_what_may_be_lost,
)
from tests.store.token_state.conftest import BOTH
from tests.store.token_state.postgres_server import _as_postgres, _programs
from tests.store.token_state.sample_rows import NOW, key, line, opened, ticket, use

LATER = NOW + 100


class Site:
    """A state folder and its database, with a copy of the database."""

    def __init__(self, folder: Path, address: str) -> None:
        self.state, self.address = folder / "state", address
        self._copy = folder / "copy"

    def open(self) -> Control:
        return open_control(
            self.state, NOW, "DB" if self.address else "", {"DB": self.address}
        )

    def start(self, now: float = LATER) -> Ended | None:
        """Open it as a token service does, and close it."""
        with closing(self.open()) as control:
            return end_if_older(control, self.state, now)

    def stop(self) -> None:
        """Close it as a token service does."""
        with closing(self.open()) as control:
            count_up(control, self.state)

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
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    address = ""
    if request.param == "postgres":
        address = request.getfixturevalue("database")
    return Site(tmp_path, address)


def test_starts_and_stops_end_nothing(site: Site) -> None:
    for _ in range(3):
        assert site.start() is None
        site.stop()
    with closing(site.open()) as control:
        root = opened(control)
        end_if_older(control, site.state, LATER)
        assert control.chain(root.id, NOW).live
        assert control.epoch() == 0


@pytest.mark.parametrize("how", ["over", "new"])
def test_an_older_copy_that_was_put_back_is_found(site: Site, how: str) -> None:
    assert site.start() is None
    with closing(site.open()) as control:
        first, second = opened(control), opened(control)
        control.publish_key(key("a"))
        control.publish_key(key("b"))
        slip = ticket(first)
        control.put_ticket(slip, NOW)
    site.copy()
    spent = use()
    with closing(site.open()) as control:
        control.see(spent, NOW)
        control.revoke_delegation(second.id, NOW)
        control.kill_key("b", NOW)
        count_up(control, site.state)
    site.put_back(how)
    ended = site.start()
    assert ended is not None
    assert (ended.epoch, ended.delegations, ended.keys) == (LATER, 2, ("a", "b"))
    with closing(site.open()) as control:
        # Nothing that was used, revoked or killed since the copy counts as fresh.
        assert control.see(spent, LATER) is Outcome.PERHAPS_SEEN
        assert control.see(use(since=LATER), LATER) is Outcome.DONE
        assert not control.chain(second.id, LATER).live
        assert not control.chain(first.id, LATER).live
        assert control.ticket(slip.sha256, LATER) is None
        keys = control.keys()
        assert all(each.killed for each in keys)
    assert site.start() is None, "it is ended once"


def test_it_is_found_after_a_kill_of_the_process_too(site: Site) -> None:
    """The last process was killed: what it counted is in the file all the same."""
    site.start()
    site.copy()
    control = site.open()
    count_up(control, site.state)  # as once a minute
    control.close()
    site.put_back()
    assert site.start() is not None


def test_a_lost_or_torn_mark_is_no_older_copy(site: Site) -> None:
    site.start()
    for content in (None, b"", b"\0\0", b"12x\n", b"9" * 40):
        mark = site.state / MARK
        if content is None:
            mark.unlink()
        else:
            mark.write_bytes(content)
        assert site.start() is None
        assert int(mark.read_text()) > 0


def test_the_command_ends_all_where_nothing_tells(site: Site) -> None:
    site.start()
    with closing(site.open()) as control:
        root, child, leaf = line(control, 3)
        assert control.revoke_delegation(leaf.id, NOW).delegations == (leaf.id,)
        ended = end_what_may_be_lost(control, site.state, LATER)
        assert ended.delegations == 2
        assert not control.chain(child.id, LATER).live
        assert not control.chain(root.id, LATER).live
    assert site.start() is None
