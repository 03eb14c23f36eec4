"""Who came, was refused and left is evidence, however many try, and whatever fails."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.event import AuditEvent
from answerable.model.ids import PersonId
from answerable.model.provenance import WrittenBy
from answerable.model.worker_limits import WorkerLimits
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ship_spool
from answerable.web.auth.sessions import SessionStore, WebSession
from answerable.web.runtime.sign_in_recorder import MAX_REFUSALS, SignInRecorder
from answerable.web.visitor import WebRole
from tests.connectors.gateway.spool_files import T0

ANA = PersonId("person:ana@corp.example")


def session() -> WebSession:
    sessions = SessionStore(lambda: 1_700_000_000.0)
    roles = frozenset({WebRole.OWNER, WebRole.ADMIN})
    return sessions.create(ANA, roles, "https://idp.example#ana")[1]


def recorded(
    folder: Path, tell: Callable[[SignInRecorder], None]
) -> tuple[list[AuditEvent], list[str]]:
    """Have something recorded and shipped; give the events, and what was missed."""
    missed: list[str] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        made = SignInRecorder(
            folder / "spool", loop, WorkerLimits(), missed.append, lambda: T0
        )
        tell(made)
        made.close()

    asyncio.run(story())
    with EvidenceStore.open(folder / "store", now=T0) as store:
        ship_spool(store, folder / "spool", now=T0)
        query = "SELECT action, outcome, person, written_by, source, facts FROM events"
        rows = store.run_query(f"{query} ORDER BY sequence")
    return rows, missed  # type: ignore[return-value]


def test_a_sign_in_and_a_sign_out_become_events(tmp_path: Path) -> None:
    def tell(made: SignInRecorder) -> None:
        made.record_sign_in(session())
        made.record_refused("local", "used")
        made.record_sign_out(session())

    rows, missed = recorded(tmp_path, tell)
    by, roles = ("by", "https://idp.example#ana"), ("roles", "admin owner")
    wrote = WrittenBy.MEDIATOR.value
    told = [(*row[:5], dict(row[5])) for row in rows]  # type: ignore[index,misc]
    assert told == [
        ("web:sign-in", "success", ANA, wrote, "web", dict([by, roles])),
        ("web:sign-in", "denied", "", wrote, "web", {"by": "local", "refused": "used"}),
        ("web:sign-out", "success", ANA, wrote, "web", dict([by, roles])),
    ]
    assert missed == []


def test_whoever_tries_without_end_is_counted(tmp_path: Path) -> None:
    def tell(made: SignInRecorder) -> None:
        for _ in range(1000):
            made.record_refused("local", "wrong")
        made.record_refused("corp", "answer")
        made.record_sign_in(session())

    rows, _ = recorded(tmp_path, tell)
    facts = [dict(row[5]) for row in rows]  # type: ignore[index]
    single = [each for each in facts if each.get("by") == "local"]
    counted = {e["refused"]: e["count"] for e in facts if "count" in e}
    assert len(single) == MAX_REFUSALS
    assert counted == {"wrong": str(1000 - MAX_REFUSALS), "answer": "1"}
    assert {row[0] for row in rows} == {"web:sign-in"}  # type: ignore[index]
    assert len(rows) == MAX_REFUSALS + 3


def test_counts_are_told_every_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SignInRecorder, "every", 0.02)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        made = SignInRecorder(tmp_path / "spool", loop, WorkerLimits(), lambda _: None)
        for _ in range(MAX_REFUSALS + 5):
            made.record_refused("local", "wrong")
        before = made.journal.recorded
        async with asyncio.timeout(60):
            while made.journal.recorded == before:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.01)
        assert made.journal.recorded == before + 1
        made.record_refused("local", "wrong")  # another minute: one of its own again
        assert made.journal.recorded == before + 2
        made.close()

    asyncio.run(story())


def test_what_cannot_be_recorded_is_told_and_keeps_nobody_out(tmp_path: Path) -> None:
    missed: list[str] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        made = SignInRecorder(
            tmp_path / "spool", loop, WorkerLimits(spool=1), missed.append
        )
        async with asyncio.timeout(60):
            while not missed:  # it hears of a full spool a little later
                made.record_sign_in(session())
                await asyncio.sleep(0.01)
        made.close()

    asyncio.run(story())
    assert missed == ["spool-full"]
    shutil.rmtree(tmp_path / "spool")
