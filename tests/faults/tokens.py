"""The token service killed under load, and its PostgreSQL; what was used stays used."""

import base64
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ship_spool
from tests.faults.counts import LONGEST, Count
from tests.faults.servers import LOAD, Load
from tests.store.token_state.postgres_server import _as_postgres, _programs
from tests.sts.raw_http_client import RawHttpClient
from tests.sts.running_service import (
    ANA,
    ROOT,
    DpopClient,
    RunningService,
    ci_token,
    own_store,
)

REPLAYS = 5  # used tokens that are shown again after each kill
DATABASE = "FAULTS_DATABASE"


def kill_token_service(kills: int, chance: random.Random) -> Iterator[Count]:
    """Kill a token service with its record in SQLite."""
    count = Count("token service killed (SQLite)")
    with _world() as world:
        _run(world, kills, chance, count, lambda: _kill(world), lambda: _tokens(world))
    yield count


def kill_with_postgres(kills: int, chance: random.Random) -> Iterator[Count]:
    """Kill a token service with its record in PostgreSQL, then PostgreSQL itself."""
    with Server() as server:
        os.environ[DATABASE] = server.address
        try:
            for name, most, fault in (
                ("token service killed (PostgreSQL)", kills, None),
                ("PostgreSQL killed", kills, server),
            ):
                count = Count(name)
                with _world(f"  database: {DATABASE}") as world:
                    act = server.kill if fault else lambda at=world: _kill(at)
                    _run(world, most, chance, count, act, server.tokens)
                    server.empty()
                yield count
        finally:
            del os.environ[DATABASE]


@contextlib.contextmanager
def _world(more: str = "") -> Iterator[RunningService]:
    folder = Path(tempfile.mkdtemp(prefix="answerable-tokens-"))
    world = RunningService(folder, more=more)
    own_store(world.store, {ROOT: ANA})
    world.write()
    world.start()
    try:
        yield world
    finally:
        if world.process is not None:
            world.stop()
        shutil.rmtree(folder)


def _kill(world: RunningService) -> None:
    world.stop(signal.SIGKILL)
    world.start()


def _run(
    world: RunningService,
    kills: int,
    chance: random.Random,
    count: Count,
    kill: Callable[[], None],
    recorded: Callable[[], list[str]],
) -> None:
    """Kill something while clients exchange tokens, and show used ones again."""
    given: dict[str, str] = {}  # jti of what was given, by what it was bought with
    while count.tried < kills:
        load = Load(_exchange(world), 0)
        load.run_for(chance.uniform(*LOAD))
        kill()
        count.tried += 1
        time.sleep(0.2)
        load.end()
        fresh = dict(line.split(" ") for line in load.acknowledged)
        given |= fresh
        # Now: what expired is removed after a while.
        count.compare(list(fresh.values()), recorded())
        for subject in chance.sample(sorted(fresh), min(REPLAYS, len(fresh))):
            if _again(world, subject):
                count.doubled += 1
    world.stop()
    _check_evidence(world, list(given.values()), count)


def _exchange(world: RunningService) -> Callable[[int], str]:
    client = DpopClient(world)

    def call(_: int) -> str:
        subject = ci_token(world)
        with world.wire() as wire:
            reply = client.exchange(wire, subject)
        if reply.status != 200:
            return ""
        return f"{subject} {_jti(str(reply.json['access_token']))}"

    return call


def _jti(token: str) -> str:
    body = token.split(".")[1]
    return str(
        json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["jti"]
    )


def _again(world: RunningService, subject: str) -> bool:
    """Show a token again that bought one before; True where it buys another."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        with contextlib.suppress(OSError, EOFError), _wire(world) as wire:
            reply = DpopClient(world).exchange(wire, subject)
            if reply.status < 500:
                return reply.status == 200
        time.sleep(0.1)
    raise TimeoutError("the token service does not answer")


def _wire(world: RunningService) -> RawHttpClient:
    return world.wire()


def _tokens(world: RunningService) -> list[str]:
    """List the tokens on record in SQLite."""
    with contextlib.closing(sqlite3.connect(world.state / "control.db")) as connection:
        return [jti for (jti,) in connection.execute("SELECT jti FROM token")]


def _check_evidence(world: RunningService, given: list[str], count: Count) -> None:
    """Ship the spool: each token that was given is in the evidence, once."""
    now = time.time_ns()
    with EvidenceStore.open(world.store, now=now) as store:
        ship_spool(store, world.state / "spool", now=now)
        rows = store.run_query(
            "SELECT native_id FROM events WHERE source = 'sts' AND outcome = 'success'"
        )
        issued = [str(row[0]) for row in rows]
        for each in fsck.verify_store(store, None, None, ignore_progress_report):
            if not each.ok:
                count.complain(f"{each.check}: {each.detail}")
    found = set(issued)
    count.lost += sum(jti not in found for jti in given)
    count.doubled += len(issued) - len(set(issued))


class Server:
    """A PostgreSQL that can be killed and started again."""

    def __enter__(self) -> "Server":
        made = subprocess.run(
            _as_postgres(["mktemp", "-d", "/tmp/answerable-pg-XXXXXX"]),
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
        )
        self.folder = Path(made.stdout.strip())
        self.address = f"postgresql://sts@/postgres?host={self.folder}"
        self._data, self._log = self.folder / "data", self.folder / "log"
        self._tool("initdb", "-D", str(self._data), "-A", "trust", "-U", "sts")
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self._pid(), signal.SIGQUIT)
        self._server.wait(LONGEST)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tool(self, name: str, *words: str) -> None:
        command = _as_postgres([str(_programs() / name), *words])
        subprocess.run(command, check=True, capture_output=True, cwd="/")

    def _start(self) -> None:
        """Start it, again where it ends at once: a killed backend may not be gone yet.

        Raises:
            TimeoutError: It is not ready in time; the end of its log is told.
        """
        self._launch()
        until = time.monotonic() + LONGEST
        while time.monotonic() < until:
            with contextlib.suppress(subprocess.CalledProcessError):
                self._tool("pg_isready", "-q", "-h", str(self.folder), "-U", "sts")
                return
            if self._server.poll() is not None:
                self._launch()
            time.sleep(0.1)
        said = self._log.read_text(errors="replace")[-1000:]
        raise TimeoutError(f"PostgreSQL did not start: {said}")

    def _launch(self) -> None:
        command = [str(_programs() / "postgres"), "-D", str(self._data)]
        command += ["-k", str(self.folder), "-c", "listen_addresses="]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                _as_postgres(command), stdout=log, stderr=log, cwd="/"
            )

    def _pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """Kill every process of it at once, and start it again."""
        pid = self._pid()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self._server.wait(LONGEST)
        self._start()

    def tokens(self) -> list[str]:
        """List the tokens on record."""
        import psycopg

        with psycopg.connect(self.address) as connection:
            rows = connection.execute("SELECT jti FROM answerable_sts.token").fetchall()
        return [str(row[0]) for row in rows]

    def empty(self) -> None:
        """Forget all that is on record."""
        import psycopg

        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute("DROP SCHEMA answerable_sts CASCADE")
