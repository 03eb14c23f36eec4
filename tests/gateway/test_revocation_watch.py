"""The watch over the kills: one that is written holds, whatever happens to the file."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.server import revocation_list
from answerable.server.revocation_list import (
    RevocationFile,
    RevocationList,
    RevocationWatch,
)
from answerable.usecases.authorization.authorize import Authorizer
from tests.gateway.recording.recorder_fixture import until

AGENT = "agent:declared/invoices"


class Watched:
    """A file of kills, and a process that watches it."""

    def __init__(self, state: Path) -> None:
        self.file = RevocationFile(state)
        self.list = RevocationList(state)
        self.authority = Authorizer()
        self.refusals: list[str] = []

    def holds(self) -> bool:
        return AGENT in self.authority.revocations


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(revocation_list, "POLL_INTERVAL", 0.01)
    return Watched(tmp_path)


def watch(watched: Watched, story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        watch = RevocationWatch(
            watched.list,
            watched.authority,
            loop,
            lambda killed, revived: None,
            watched.refusals.append,
        )
        try:
            await story()
        finally:
            watch.close()

    asyncio.run(whole())


def test_a_kill_that_could_not_be_read_at_once_is_read_later(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may have no file descriptor left at that moment."""

    def fail(path: Path) -> bytes:
        raise EnvironmentFailure(f"cannot read {path}: Too many open files")

    async def story() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(revocation_list, "read_file", fail)
            watched.file.path.write_text(f"{AGENT}\n")
            await until(lambda: bool(watched.refusals))
            await asyncio.sleep(0.1)
        await until(watched.holds)

    watch(watched, story)
    assert len(watched.refusals) == 1


def test_whatever_goes_wrong_while_it_reads_the_next_kill_holds(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> bytes:
        raise MemoryError

    async def story() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(revocation_list, "read_file", fail)
            watched.file.path.write_text(f"{AGENT}\n")
            await until(lambda: bool(watched.refusals))
        await until(watched.holds)

    watch(watched, story)
    assert watched.refusals == ["cannot read the revocation list (MemoryError)"]


def test_a_file_that_is_gone_revives_nobody(watched: Watched) -> None:
    watched.file.revoke(AGENT)

    async def story() -> None:
        watched.file.path.unlink()
        await until(lambda: bool(watched.refusals))
        assert watched.holds()
        watched.file.reinstate(AGENT)
        await until(lambda: not watched.holds())

    watch(watched, story)
    assert watched.refusals == [f"{watched.file.path} was deleted"]


def test_a_file_that_was_never_there_is_no_kill(watched: Watched) -> None:
    async def story() -> None:
        await asyncio.sleep(0.1)

    watch(watched, story)
    assert not watched.refusals
    assert not watched.holds()


def test_a_kill_says_by_whom_and_the_first_who_did_stays(tmp_path: Path) -> None:
    file = revocation_list.RevocationFile(tmp_path)
    file.revoke(AGENT, "ana@corp.example\trun:other\nagent:declared/other")
    assert not file.revoke(AGENT, "ben@corp.example")
    told = file.read_revocations()
    assert told is not None
    assert told[AGENT].by == "ana@corp.examplerun:otheragent:declared/other"
    assert str(told[AGENT]).startswith(" by ana@corp.example")
    assert file.read_subjects() == {AGENT}


@pytest.mark.parametrize(
    ("line", "note"),
    [
        (AGENT, ("", "")),
        (f"{AGENT}\tana", ("ana", "")),
        (f"{AGENT}\t\t2026-11-27T19:00:00Z", ("", "2026-11-27T19:00:00Z")),
        (f"{AGENT}\tan\x1ba\tlater", ("ana", "")),
    ],
)
def test_whatever_stands_behind_a_subject_the_kill_holds(
    tmp_path: Path, line: str, note: tuple[str, str]
) -> None:
    file = revocation_list.RevocationFile(tmp_path)
    file.path.write_text(f"{line}\n")
    file.path.chmod(0o600)
    assert file.read_subjects() == {AGENT}
    assert file.read_revocations() == {AGENT: revocation_list.RevocationNote(*note)}
    file.revoke("agent:declared/other")
    assert file.read_subjects() == {AGENT, "agent:declared/other"}
    assert (file.read_revocations() or {})[AGENT] == revocation_list.RevocationNote(
        *note
    )


def test_a_kill_says_whether_it_changed_anything(tmp_path: Path) -> None:
    file = revocation_list.RevocationFile(tmp_path)
    assert not file.reinstate(AGENT)
    assert file.revoke(AGENT)
    assert not file.revoke(AGENT)
    assert file.reinstate(AGENT)
    assert not file.reinstate(AGENT)


def test_a_kill_holds_while_the_event_loop_is_busy(watched: Watched) -> None:
    """Calls that flood a worker delay no kill: it holds for the next one decided."""

    async def story() -> None:
        watched.file.revoke(AGENT)
        ends = time.monotonic() + 60
        while not watched.holds():  # and the loop does nothing else
            assert time.monotonic() < ends
            time.sleep(0.01)  # noqa: ASYNC251 - on purpose
        assert not cuts
        await until(lambda: bool(cuts))
        assert cuts == [{AGENT}]

    cuts: list[frozenset[str]] = []
    watched.authority.add_revocation_listener(cuts.append)
    watch(watched, story)


def test_kills_of_an_earlier_release_hold_beside_those_of_the_store(
    watched: Watched, tmp_path: Path
) -> None:
    old = RevocationFile(tmp_path / "gateway")
    old.revoke(AGENT, "ana")
    watched.list = RevocationList(tmp_path, tmp_path / "gateway", tmp_path / "sts")

    async def story() -> None:
        assert watched.holds()
        watched.file.revoke("server:files", "ben", "moved")
        await until(lambda: "server:files" in watched.authority.revocations)
        assert watched.holds()
        RevocationFile(tmp_path / "sts").revoke("rule:ci")
        await until(lambda: "rule:ci" in watched.authority.revocations)
        assert watched.list.reinstate(AGENT)
        await until(lambda: not watched.holds())

    watch(watched, story)
    assert not watched.refusals
    told = watched.list.read_revocations()
    assert str(told["server:files"]).endswith(": moved")
    assert set(told) == {"server:files", "rule:ci"}


def test_what_is_decided_by_beside_kills_is_not_lost_to_a_kill() -> None:
    """Kills come from a thread; what the loop sets at that moment stays."""
    authority, ended = Authorizer(), threading.Event()

    def kill() -> None:
        number = 0
        while not ended.is_set():
            authority.apply_revocations(frozenset({f"run:{number}"}))
            number += 1

    thread = threading.Thread(target=kill)
    thread.start()
    for _ in range(300):
        quarantine = MappingProxyType({"files": frozenset({"tool"})})
        authority.set_quarantine(quarantine)  # type: ignore[arg-type]
        assert authority._standing.quarantine is quarantine
        time.sleep(0)
    ended.set()
    thread.join(60)
