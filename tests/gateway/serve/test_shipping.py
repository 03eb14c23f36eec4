"""The last shipping comes after the one that is under way."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from answerable.gateway.serve import supervisor
from answerable.serving.log import Log
from answerable.serving.shipping import Told


def test_what_is_being_shipped_at_the_end_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on = asyncio.Event(), asyncio.Event()
    under_way: list[int] = []
    most: list[int] = []
    gave_way: list[bool] = []

    async def ship(*_: Path, **told: int) -> Told:
        gave_way.append(told["most"] > 0)
        under_way.append(1)
        most.append(len(under_way))
        began.set()
        async with asyncio.timeout(10):
            await goes_on.wait()
        under_way.pop()
        return Told(stored=1)

    monkeypatch.setattr(supervisor, "SHIP", 0.01)
    monkeypatch.setattr(supervisor, "ship_apart", ship)
    (tmp_path / "spool").mkdir()
    config = SimpleNamespace(
        listen=SimpleNamespace(workers=0),
        limits=SimpleNamespace(drain=1, spool=1 << 30),
    )
    policy = SimpleNamespace(whole=True)
    plan: Any = SimpleNamespace(
        config=config, policy=policy, store=tmp_path, state=tmp_path
    )

    async def story() -> None:
        one = supervisor.Supervisor(plan, lambda _: plan, Log("test"), {})
        one._tasks.spawn(one._ship_now_and_then())
        async with asyncio.timeout(10):
            await began.wait()
        ending = asyncio.create_task(one._end())
        await asyncio.sleep(0.1)
        goes_on.set()
        await ending
        assert one._health.shipped == 2

    asyncio.run(story())
    assert most == [1, 1]
    # Nobody is served any more at the end.
    assert gave_way == [True, False]
