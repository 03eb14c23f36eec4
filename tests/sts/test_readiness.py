"""When a token service says that it gives tokens."""

import asyncio
from pathlib import Path

import pytest

from answerable.server.operator_log import Log
from answerable.server.recording.journal import Journal
from answerable.store.store import Store
from answerable.sts.runtime.app import House
from answerable.sts.runtime.settings import read_plan
from tests.sts.running_service import World


def test_it_is_not_ready_while_the_disk_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.write()
    Store.open(world.store, now=0).close()

    async def story() -> None:
        plan = read_plan(str(world.config), None, world.store)
        house = await House.open(plan, Log("sts"))
        try:
            assert house.reasons() == []
            with monkeypatch.context() as hung:
                hung.setattr(Journal, "is_behind", True)
                (why,) = house.reasons()
            assert why == "it cannot record: the disk does not answer"
            house.drain()
            assert house.reasons() == ["it is ending"]
        finally:
            await house.close()

    asyncio.run(story())
