"""The watch over the kills: one that is written holds, whatever happens to the file."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from answerable.flows.authorize import Authority
from answerable.model.errors import EnvironmentRefused
from answerable.serving import kills
from answerable.serving.kills import KillFile, KillWatch
from tests.gateway.recording.stage import until

AGENT = "agent:declared/invoices"


class Watched:
    """A file of kills, and a process that watches it."""

    def __init__(self, state: Path) -> None:
        self.file = KillFile(state)
        self.authority = Authority()
        self.refusals: list[str] = []

    def holds(self) -> bool:
        return AGENT in self.authority.kills


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(kills, "EVERY", 0.01)
    return Watched(tmp_path)


def watch(watched: Watched, story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        watch = KillWatch(
            watched.file,
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
        raise EnvironmentRefused(f"cannot read {path}: Too many open files")

    async def story() -> None:
        watched.file.kill(AGENT)
        with monkeypatch.context() as patched:
            patched.setattr(kills, "read_file", fail)
            await until(lambda: bool(watched.refusals))
            await asyncio.sleep(0.1)
        await until(watched.holds)

    watch(watched, story)
    assert len(watched.refusals) == 1


def test_a_file_that_is_gone_revives_nobody(watched: Watched) -> None:
    watched.file.kill(AGENT)

    async def story() -> None:
        watched.file.path.unlink()
        await until(lambda: bool(watched.refusals))
        assert watched.holds()
        watched.file.revive(AGENT)
        await until(lambda: not watched.holds())

    watch(watched, story)
    assert watched.refusals == [f"{watched.file.path} is gone"]


def test_a_file_that_was_never_there_is_no_kill(watched: Watched) -> None:
    async def story() -> None:
        await asyncio.sleep(0.1)

    watch(watched, story)
    assert not watched.refusals
    assert not watched.holds()


def test_a_kill_says_by_whom_and_the_first_who_did_stays(tmp_path: Path) -> None:
    file = kills.KillFile(tmp_path)
    file.kill(AGENT, "ana@corp.example\trun:other\nagent:declared/other")
    assert not file.kill(AGENT, "ben@corp.example")
    told = file.told()
    assert told is not None
    assert told[AGENT].by == "ana@corp.examplerun:otheragent:declared/other"
    assert str(told[AGENT]).startswith(" by ana@corp.example")
    assert file.read() == {AGENT}


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
    file = kills.KillFile(tmp_path)
    file.path.write_text(f"{line}\n")
    file.path.chmod(0o600)
    assert file.read() == {AGENT}
    assert file.told() == {AGENT: kills.Note(*note)}
    file.kill("agent:declared/other")
    assert file.read() == {AGENT, "agent:declared/other"}
    assert (file.told() or {})[AGENT] == kills.Note(*note)


def test_a_kill_says_whether_it_changed_anything(tmp_path: Path) -> None:
    file = kills.KillFile(tmp_path)
    assert not file.revive(AGENT)
    assert file.kill(AGENT)
    assert not file.kill(AGENT)
    assert file.revive(AGENT)
    assert not file.revive(AGENT)
