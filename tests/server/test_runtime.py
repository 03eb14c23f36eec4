"""Runtime of a server process: reload during the start, shipping, shutdown."""

import asyncio
import errno
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.server import runtime
from answerable.server.evidence_shipping import ShippingResult
from answerable.server.operator_log import OperatorLog
from answerable.server.runtime import ServerRuntime
from answerable.server.server_process import App
from answerable.store.store import EvidenceStore
from answerable.web.runtime.settings import WebSettings, load_settings
from tests.gateway.recording.recorder_fixture import until


class IdleApp(App[WebSettings]):
    """Application that serves nothing."""

    def __init__(self, plan: WebSettings, log: OperatorLog) -> None:
        super().__init__(plan, log)
        self.reloaded = asyncio.Event()

    async def start(self) -> None:
        """Open nothing."""

    async def reload(self, plan: WebSettings) -> None:
        self.reloaded.set()

    def not_ready_reasons(self) -> list[str]:
        return []

    def render_metrics(self) -> bytes:
        return b""


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

    async def open_app(plan: WebSettings, log: OperatorLog) -> IdleApp:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
        apps.append(IdleApp(plan, log))
        return apps[0]

    async def story() -> None:
        one = ServerRuntime("test", lambda: plan, open_app)
        running = asyncio.create_task(one.run(lambda _: None, alone=True))
        async with asyncio.timeout(60):
            await until(lambda: bool(apps))
            await apps[0].reloaded.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await running

    apps: list[IdleApp] = []
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

    async def story() -> None:
        one = ServerRuntime("test", lambda: plan, IdleApp.open)
        running = asyncio.create_task(one.run(lambda _: None, alone=True))
        async with asyncio.timeout(60):
            await until(lambda: hasattr(one, "app") and bool(one.app.ship_refused))
            await until(lambda: not one.app.ship_refused, 20)
            os.kill(os.getpid(), signal.SIGTERM)
            await running

    (plan.state / "spool").mkdir(parents=True)
    asyncio.run(story())
    assert len(refused) == 2


Ships = Callable[..., Awaitable[ShippingResult]]


async def end_while_shipping(
    plan: WebSettings,
    ship: Ships,
    began: asyncio.Event,
    patch: pytest.MonkeyPatch,
    goes_on: asyncio.Event | None = None,
) -> int:
    """End a server during its first shipping; return the number of stored events."""
    patch.setattr(runtime, "SHIP_INTERVAL", 0.01)
    patch.setattr(runtime, "ship_in_subprocess", ship)
    (plan.state / "spool").mkdir(parents=True)
    one = ServerRuntime("test", lambda: plan, IdleApp.open)
    running = asyncio.create_task(one.run(lambda _: None, alone=True))
    async with asyncio.timeout(60):
        await began.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        if goes_on is not None:
            goes_on.set()
        await running
    return one.app.shipped


def test_the_last_shipping_waits_for_the_one_in_progress(
    plan: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on = asyncio.Event(), asyncio.Event()
    in_progress: list[int] = []
    most_at_once: list[int] = []
    is_periodic: list[bool] = []

    async def ship(*_: Path, max_spool_bytes: int) -> ShippingResult:
        is_periodic.append(max_spool_bytes > 0)
        in_progress.append(1)
        most_at_once.append(len(in_progress))
        began.set()
        async with asyncio.timeout(60):
            await goes_on.wait()
        in_progress.pop()
        return ShippingResult(stored=1)

    stored = asyncio.run(end_while_shipping(plan, ship, began, monkeypatch, goes_on))
    assert stored == 2
    assert most_at_once == [1, 1]
    # At the end no client waits, so shipping needs no low priority.
    assert is_periodic == [True, False]


def test_a_hanging_shipping_is_waited_for_as_long_as_open_requests(
    plan: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def ship(*_: Path, max_spool_bytes: int) -> ShippingResult:
        if not max_spool_bytes:
            return ShippingResult(stored=1)
        began.set()
        try:
            return await asyncio.Future()
        finally:
            stopped.set()

    limits = replace(plan.config.limits, drain=1)
    plan = replace(plan, config=replace(plan.config, limits=limits))
    assert asyncio.run(end_while_shipping(plan, ship, began, monkeypatch)) == 1
    assert stopped.is_set()


class BusyApp(IdleApp):
    """Application with a request that never ends."""

    @property
    def is_busy(self) -> bool:
        return True


def test_no_shipping_of_low_priority_begins_while_the_end_waits_for_requests(
    plan: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    periodic: list[bool] = []  # whether the server was told to end before

    async def ship(*_: Path, max_spool_bytes: int) -> ShippingResult:
        if max_spool_bytes:
            periodic.append(one._told_to_end.is_set())
        return ShippingResult(stored=1)

    async def story() -> None:
        running = asyncio.create_task(one.run(lambda _: None, alone=True))
        async with asyncio.timeout(60):
            await until(lambda: bool(periodic))
            os.kill(os.getpid(), signal.SIGTERM)
            await running

    monkeypatch.setattr(runtime, "SHIP_INTERVAL", 0.01)
    monkeypatch.setattr(runtime, "ship_in_subprocess", ship)
    (plan.state / "spool").mkdir(parents=True)
    limits = replace(plan.config.limits, drain=1)
    plan = replace(plan, config=replace(plan.config, limits=limits))
    one = ServerRuntime("test", lambda: plan, BusyApp.open)
    asyncio.run(story())
    assert True not in periodic
