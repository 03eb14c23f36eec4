"""When a token service says that it gives tokens."""

import asyncio
from pathlib import Path

import pytest

from answerable.server.operator_log import OperatorLog
from answerable.server.recording.journal import RecordJournal
from answerable.store.store import EvidenceStore
from answerable.sts.runtime.app import StsApp
from answerable.sts.runtime.settings import load_settings
from answerable.sts.signing_keys.key_ring import KeyRing
from tests.sts.running_service import RunningService


def test_it_is_not_ready_while_the_disk_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = RunningService(tmp_path)
    world.write()
    EvidenceStore.open(world.store, now=0).close()

    async def story() -> None:
        plan = load_settings(str(world.config), None, world.store)
        house = await StsApp.open(plan, OperatorLog("sts"))
        try:
            assert house.not_ready_reasons() == []
            assert house.readiness_details()["warnings"] == []
            with monkeypatch.context() as young:
                young.setattr(KeyRing, "is_active_key_too_new", True)
                warnings = house.readiness_details()["warnings"]
            assert "may not have fetched the active signing key" in str(warnings)
            with monkeypatch.context() as hung:
                hung.setattr(RecordJournal, "is_disk_stalled", True)
                (why,) = house.not_ready_reasons()
            assert why == "it cannot record: the disk does not respond"
            house.drain()
            assert house.not_ready_reasons() == ["it is shutting down"]
        finally:
            await house.close()

    asyncio.run(story())
