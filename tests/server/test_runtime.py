"""The process of a door: what comes too early or fails beside it ends nothing."""

import asyncio
import errno
import os
import signal
from pathlib import Path

import pytest

from answerable.server import runtime
from answerable.server.evidence_shipping import ShippingResult
from answerable.server.operator_log import OperatorLog
from answerable.server.runtime import Endpoints, ServerRuntime
from answerable.store.store import EvidenceStore
from answerable.web.runtime.settings import WebSettings, load_settings
from tests.gateway.recording.recorder_fixture import until


class House:
    """One that serves nothing."""

    def __init__(self) -> None:
        self.listening: Endpoints = []
        self.reload_refused = self.ship_refused = ""
        self.is_busy = False
        self.swapped = asyncio.Event()

    async def reload(self, plan: WebSettings) -> None:
        self.swapped.set()

    def drain(self) -> None:
        """Take no more."""

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WebSettings:
    monkeypatch.setattr(
        runtime, "freeze_startup_objects", lambda: None
    )  # it is for a whole process
    EvidenceStore.open(tmp_path / "store", now=0).close()
    return load_settings("", tmp_path / "store", tmp_path)


def test_a_reload_during_the_start_is_done_after_it(
    plan: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ship(*_: Path, **__: int) -> ShippingResult:
        return ShippingResult()

    monkeypatch.setattr(runtime, "ship_in_subprocess", ship)

    async def made(_: WebSettings, __: OperatorLog) -> House:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
        houses.append(House())
        return houses[0]

    async def story() -> None:
        one = ServerRuntime("test", lambda: plan, made)
        running = asyncio.create_task(one.run(lambda _: None, alone=True))
        async with asyncio.timeout(20):
            await until(lambda: bool(houses))
            await houses[0].swapped.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await running

    houses: list[House] = []
    asyncio.run(story())


def test_shipping_that_cannot_be_started_is_told_and_tried_again(
    plan: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[object] = []
    real = asyncio.create_subprocess_exec

    async def fork(*words: str, **how: int) -> asyncio.subprocess.Process:
        if len(refused) < 2:
            refused.append(words)
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return await real("echo", "{}", **how)

    monkeypatch.setattr(runtime, "SHIP_INTERVAL", 0.02)
    monkeypatch.setattr("asyncio.create_subprocess_exec", fork)
    house = House()

    async def made(_: WebSettings, __: OperatorLog) -> House:
        return house

    async def story() -> None:
        one = ServerRuntime("test", lambda: plan, made)
        running = asyncio.create_task(one.run(lambda _: None, alone=True))
        async with asyncio.timeout(30):
            await until(lambda: bool(house.ship_refused))
            await until(lambda: not house.ship_refused, 20)
            os.kill(os.getpid(), signal.SIGTERM)
            await running

    (plan.state / "spool").mkdir(parents=True)
    asyncio.run(story())
    assert len(refused) == 2
