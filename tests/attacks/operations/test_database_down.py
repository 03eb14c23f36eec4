"""A token service says that it gives nothing while its database is down."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from answerable.server.operator_log import OperatorLog
from answerable.store.store import EvidenceStore
from answerable.store.token_state.interface import TokenStateUnavailable
from answerable.sts.runtime import maintenance
from answerable.sts.runtime.app import StsApp
from answerable.sts.runtime.settings import load_settings
from tests.attacks.operations.service_manager import manager
from tests.store.token_state.postgres_server import postgres
from tests.sts.raw_http_client import RawHttpClient
from tests.sts.replicas.replica_pair import DATABASE, Replica
from tests.sts.running_service import ANA, ROOT, RunningService, own_store


def test_it_is_not_ready_while_the_database_refuses_or_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = RunningService(tmp_path)
    world.write()
    EvidenceStore.open(world.store, now=0).close()
    monkeypatch.setattr(maintenance, "DATABASE_TIMEOUT", 0.5)
    hangs = threading.Event()

    def refuse(*_: object) -> int:
        raise TokenStateUnavailable("the database does not respond (gone)")

    def hang(*_: object) -> int:
        hangs.wait(60)
        return 0

    async def until(house: StsApp, said: str) -> None:
        by = time.monotonic() + 60
        while said not in " ".join(house.not_ready_reasons() or ["ready"]):
            assert time.monotonic() < by, house.not_ready_reasons()
            await asyncio.sleep(0.02)

    async def story() -> None:
        plan = load_settings(str(world.config), None, world.store)
        house = await StsApp.open(plan, OperatorLog("sts"))
        try:
            for down in (refuse, hang):
                with monkeypatch.context() as patched:
                    patched.setattr(type(house._control), "delete_expired", down)
                    await until(house, "the database")
                    hangs.set()
                await until(house, "ready")
                hangs.clear()
        finally:
            house.drain()
            await house.close()

    asyncio.run(story())


@pytest.mark.world
def test_readiness_follows_a_postgresql_that_stops_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres() as address:
        folder = Path(address.rpartition("host=")[2])
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        monkeypatch.setenv(DATABASE, address)
        replica = Replica(
            tmp_path, iss="http://localhost:4711", more=f"  database: {DATABASE}"
        )
        own_store(replica.store, {ROOT: ANA})
        replica.write()
        replica.start()
        try:
            wait_for(replica, is_ready=True)
            os.kill(pid, signal.SIGSTOP)  # it takes no connection any more
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for child in map(int, children):
                if b"sts" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(child, signal.SIGTERM)  # and ends those that there are
            wait_for(replica, is_ready=False)
            go_on(pid)
            wait_for(replica, is_ready=True)
        finally:
            go_on(pid)
            replica.stop()
        assert replica.told("control.not-swept") < 10  # not ten a second


def go_on(pid: int) -> None:
    """Continue a process, and first `runuser` above it, which stops with it."""
    status = Path(f"/proc/{pid}/status").read_text()
    above = int(status.partition("PPid:")[2].split()[0])
    for each in (above, pid) if above > 1 and above != os.getpid() else (pid,):
        os.kill(each, signal.SIGCONT)


def wait_for(replica: Replica, *, is_ready: bool) -> None:
    until = time.monotonic() + 60
    while True:
        with RawHttpClient.to(replica.at) as wire:
            answer = wire.ask("GET", "/readyz")
        if (answer.status == 200) is is_ready:
            said = " ".join(answer.json["reasons"])
            assert is_ready or "the database" in said
            return
        assert time.monotonic() < until, answer.json
        time.sleep(0.2)


def test_a_token_service_tells_its_service_manager(tmp_path: Path) -> None:
    name = str(tmp_path / "n")
    with pytest.MonkeyPatch.context() as patched, manager(name) as heard:
        patched.setenv("NOTIFY_SOCKET", name)
        patched.setenv("WATCHDOG_USEC", "400000")
        world = RunningService(tmp_path)
        own_store(world.store, {ROOT: ANA})
        world.write()
        world.start()
        try:
            assert world.url in heard.hear("READY")["STATUS"]
            heard.hear("WATCHDOG", 2)
            world.reload()
            heard.hear("RELOADING")
            heard.hear("READY", 2)
        finally:
            world.stop()
        heard.hear("STOPPING")
