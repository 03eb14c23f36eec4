"""The last shipping comes after the one that is under way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from answerable.gateway.serve import supervisor
from answerable.model.worker_limits import WorkerLimits
from answerable.server.evidence_shipping import ShippingResult
from answerable.server.operator_log import OperatorLog

Ships = Callable[..., Awaitable[ShippingResult]]


def supervised(
    state: Path, monkeypatch: pytest.MonkeyPatch, ship: Ships, drain: float = 1
) -> supervisor.Supervisor:
    """Make one without workers that ships often."""
    monkeypatch.setattr(supervisor, "SHIP_INTERVAL", 0.01)
    monkeypatch.setattr(supervisor, "ship_in_subprocess", ship)
    (state / "spool").mkdir()
    config = SimpleNamespace(
        listen=SimpleNamespace(workers=0),
        limits=replace(WorkerLimits(), drain=drain),
    )
    policy = SimpleNamespace(whole=True)
    plan: Any = SimpleNamespace(config=config, policy=policy, store=state, state=state)
    return supervisor.Supervisor(plan, lambda _: plan, OperatorLog("test"), {})


def test_what_is_being_shipped_at_the_end_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on = asyncio.Event(), asyncio.Event()
    under_way: list[int] = []
    most: list[int] = []
    gave_way: list[bool] = []

    async def ship(*_: Path, **told: int) -> ShippingResult:
        gave_way.append(told["most"] > 0)
        under_way.append(1)
        most.append(len(under_way))
        began.set()
        async with asyncio.timeout(10):
            await goes_on.wait()
        under_way.pop()
        return ShippingResult(stored=1)

    one = supervised(tmp_path, monkeypatch, ship)

    async def story() -> None:
        one._tasks.spawn(one._ship_periodically())
        async with asyncio.timeout(10):
            await began.wait()
        ending = asyncio.create_task(one._shut_down())
        await asyncio.sleep(0.1)
        goes_on.set()
        await ending
        assert one._health.shipped == 2

    asyncio.run(story())
    assert most == [1, 1]
    # Nobody is served any more at the end.
    assert gave_way == [True, False]


def test_one_that_hangs_at_the_end_is_waited_for_as_calls_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def ship(*_: Path, most: int) -> ShippingResult:
        if not most:
            return ShippingResult(stored=1)
        began.set()
        try:
            return await asyncio.Future()
        finally:
            stopped.set()

    one = supervised(tmp_path, monkeypatch, ship, drain=0.05)

    async def story() -> None:
        one._tasks.spawn(one._ship_periodically())
        async with asyncio.timeout(10):
            await began.wait()
            await one._shut_down()
        assert stopped.is_set()
        assert one._health.shipped == 1

    asyncio.run(story())
