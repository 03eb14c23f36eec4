"""A gateway on a loop of its own, a server behind it that says what a test has it say.

Both ends of the gateway are plain sockets here, so that a test sees and sends bytes.
"""

import asyncio
import hmac
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from answerable.authorization.decision_table import build_decision_table
from answerable.connectors.config.parse.config_file import parse_config
from answerable.evidence.spool_format import parse_spool_line
from answerable.gateway.baseline_enforcement import BaselineEnforcer
from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.http.client_connection import ClientConnection
from answerable.gateway.http.server import GatewayHttpServer
from answerable.gateway.http.upstream_pool import build_upstream_pools
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.gateway.server_identity import accept_any_server
from answerable.gateway.session_ids import SessionIdBinder
from answerable.gateway.upstream_credentials.provider import CredentialProvider
from answerable.model.config import Config
from answerable.model.spool_record import (
    CallEndRecord,
    DecisionRecord,
    RefusalCountRecord,
    SpoolRecord,
)
from answerable.server.admission import AdmissionControl
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.pins.pin_enforcer import PinEnforcer
from answerable.server.pins.pin_files import PinFiles
from answerable.server.wire.host_check import ServedNames
from answerable.usecases.authorization.authorize import Authorizer
from tests.federation.sample_tokens import AUD, EC, ISS, document, public
from tests.gateway.http.message_builders import HOST
from tests.gateway.http.raw_client import Client

URL = "https://gateway.example"
SECRET = b"s" * 32
CONFIG = """
issuers:
  corp: {{iss: "{iss}", audience: "{aud}", keys: keys.json, algs: [ES256], bearer: true}}
listen: {{gateway: [{{address: "127.0.0.1:8471"}}]}}
servers:
  files:
    url: http://127.0.0.1:{port}/mcp
    reads: [read_file, big]
default_mode: enforce
agents:
  ana:
    owner: ana@example.com
    mode: enforce
    callers: [{{issuer: corp, sub: ana}}]
    allow:
      - server: files
        tools: [read_file, write_file, big]
        resources: ["file:///srv/*"]
        prompts: ["*"]
        inputs: [elicitation]
  ben:
    owner: ben@example.com
    mode: enforce
    callers: [{{issuer: corp, sub: ben}}]
    allow: [{{server: files, tools: [read_file]}}]
  olga:
    owner: olga@example.com
    mode: observe
    callers: [{{issuer: corp, sub: olga}}]
{more}
"""


Script = Callable[["Peer"], None]


class Peer:
    """One connection of the gateway to the server, as the server has it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.held = b""

    def request(self) -> tuple[bytes, bytes]:
        """Head and body of the next request; `EOFError` where there is none."""
        while b"\r\n\r\n" not in self.held:
            self._more()
        head, _, self.held = self.held.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            length = int(value) if name == b"content-length" else length
        while len(self.held) < length:
            self._more()
        body, self.held = self.held[:length], self.held[length:]
        return head, body

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def gone(self, seconds: float = 60) -> bool:
        """Say whether the gateway closes the connection."""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def _more(self) -> None:
        piece = self.sock.recv(65536)
        if not piece:
            raise EOFError
        self.held += piece


class Backend:
    """The server: a thread for each connection."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            sock.settimeout(60)
            self.connections += 1
            self._socks.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        peer = Peer(sock)
        original = peer.request

        def request() -> tuple[bytes, bytes]:
            self.requests.append(original())
            return self.requests[-1]

        peer.request = request  # type: ignore[method-assign]
        with suppress(EOFError, OSError), sock:
            self.script(peer)

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in self._socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in [self._accepting, *self._threads]:
            thread.join(60)


@dataclass
class Gateway:
    """A gateway that runs."""

    port: int
    loop: asyncio.AbstractEventLoop
    http_server: GatewayHttpServer
    spool: Path
    stop: Callable[[], None]

    def client(self) -> Client:
        return Client(self.port)

    def run(self, work: Callable[[], object]) -> object:
        """Run something on the gateway's loop."""
        done: list[object] = []
        event = threading.Event()

        def now() -> None:
            done.append(work())
            event.set()

        self.loop.call_soon_threadsafe(now)
        assert event.wait(60)
        return done[0]

    def records(self) -> list[SpoolRecord]:
        """Stop, and give all that was recorded."""
        self.stop()
        return [
            parse_spool_line(line)[0]
            for path in sorted(self.spool.rglob("*.jsonl"))
            for line in path.read_bytes().splitlines(keepends=True)
        ]

    def decisions(self) -> list[tuple[str, str, str]]:
        """(method, name, reason) of each decision."""
        return [
            (each.act.method, each.act.name, each.decision.reason.value)
            for each in self.records()
            if isinstance(each, DecisionRecord)
        ]

    def outcomes(self) -> list[str]:
        return [
            e.end.outcome.value for e in self.records() if isinstance(e, CallEndRecord)
        ]

    def refusals(self) -> list[str]:
        return [e.why for e in self.records() if isinstance(e, RefusalCountRecord)]


def fingerprint(secret: str) -> str:
    """A keyed fingerprint, by a key of the tests."""
    return hmac.digest(SECRET, secret.encode(), "sha256").hex()[:24]


def _untold(event: str, server: str, what: str) -> None:
    """Leave what an operator would be told."""


class Quarantines:
    """What was told of pins."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def on_quarantined(self, subject: str, why: str, like: str) -> None:
        self.told.append((subject, why, like))

    def on_lookalike(self, subject: str, like: str, how: str) -> None:
        self.told.append((subject, how, like))

    def on_released(self, subject: str) -> None:
        self.told.append((subject, "released", ""))

    def on_failure(self, why: str) -> None:
        self.told.append(("", why, ""))


def _http_server(
    config: Config,
    spool: Path,
    loop: asyncio.AbstractEventLoop,
    pins: Quarantines | None,
) -> tuple[GatewayHttpServer, PinEnforcer | None]:
    """Put a worker together."""
    ticker = DeadlineTimer(loop)
    authority = Authorizer(build_decision_table(config))
    keeper = None
    if pins is not None:
        files = PinFiles(spool.parent)
        keeper = PinEnforcer(files, config.servers, authority, loop, pins)
    met = accept_any_server if keeper is None else keeper.check_identity
    servers = build_upstream_pools(config.servers, config.limits, ticker, met)
    spawned: list[GatewayHttpServer] = []
    credentials = CredentialProvider(
        config,
        time.time,
        lambda work: spawned[0].tasks.spawn(work),
        fingerprint,
        _untold,
    )
    recorder = GatewayRecorder(spool, 0, loop, config.limits)
    exchange = CallPipeline(
        *(authority, recorder, servers, credentials),
        pins=keeper,
        behaviour=BaselineEnforcer(
            config, *([keeper.definition_digest] if keeper else [])
        ),
    )
    callers = CallerAuthenticator(
        config, IssuerKeyCache(config.issuers), time.time, secret=SECRET
    )
    http_server = GatewayHttpServer(
        exchange,
        callers,
        SessionIdBinder(SECRET),
        config.limits,
        ticker,
        loop,
        admission=AdmissionControl(config.limits),
    )
    spawned.append(http_server)
    authority.add_revocation_listener(lambda _: http_server.stop_revoked_requests())
    return http_server, keeper


async def _end(http_server: GatewayHttpServer, keeper: PinEnforcer | None) -> None:
    http_server.abort()
    await http_server.large_bodies.close()
    if keeper is not None:
        await keeper.flush()
    for pool in http_server.exchange.servers.values():
        pool.close()
    for _ in range(1000):
        if not len(http_server.ticker):
            break
        await asyncio.sleep(0.01)
    http_server.exchange.recorder.close()


@contextmanager
def gateway(
    tmp_path: Path,
    backend_port: int,
    more: str = "",
    *,
    shown: str = "",
    pins: Quarantines | None = None,
    pin: str = "first-use",
) -> Iterator[Gateway]:
    """Run a gateway in front of a server, which is shown what a line says."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "keys.json").write_bytes(document(public(EC, kid="k1")))
    text = CONFIG.format(port=backend_port, more=more, iss=ISS, aud=AUD)
    if shown:
        text = text.replace("    reads:", f"    {shown}\n    reads:", 1)
    text = text.replace("    reads:", f"    pin: {pin}\n    reads:", 1)
    config = parse_config(text.encode(), "answerable.yaml", str(tmp_path)).config
    started = threading.Event()
    made: list[Gateway] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        spool = tmp_path / "spool"
        http_server, keeper = _http_server(config, spool, loop, pins)
        served = ServedNames(frozenset({HOST}))
        listening = await loop.create_server(
            lambda: ClientConnection(http_server, served, URL), "127.0.0.1", 0
        )

        def stop() -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)
            thread.join(60)

        port = listening.sockets[0].getsockname()[1]
        made.append(Gateway(port, loop, http_server, spool, stop))
        started.set()
        await ended.wait()
        listening.close()
        await _end(http_server, keeper)

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    assert started.wait(60)
    try:
        yield made[0]
    finally:
        made[0].stop()


@contextmanager
def stage(
    tmp_path: Path,
    script: Script,
    more: str = "",
    *,
    shown: str = "",
    pins: Quarantines | None = None,
    pin: str = "first-use",
) -> Iterator[tuple[Gateway, Backend]]:
    """Run a gateway and a server behind it."""
    backend = Backend(script)
    try:
        running_at = gateway(
            tmp_path, backend.port, more, shown=shown, pins=pins, pin=pin
        )
        with running_at as running:
            yield running, backend
    finally:
        backend.close()
