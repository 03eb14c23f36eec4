"""A gateway in memory, with policies by chance, and whoever may call it.

Both of its readers run as they do in a worker, from the bytes of a client to the bytes
that a server gets; only the sockets and the disk are left out.
"""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from answerable.authorization.quarantine import ServerQuarantine
from answerable.connectors.config.parse.config_file import parse_config
from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.http.client_connection import ClientConnection
from answerable.gateway.http.server import GatewayHttpServer
from answerable.gateway.http.upstream_pool import (
    UpstreamPool,
    _UpstreamConnection,
    parse_endpoint,
)
from answerable.gateway.session_ids import SessionIdBinder
from answerable.gateway.stdio.client import StdioClient as Pipe
from answerable.gateway.stdio.pending_message import PendingMessage
from answerable.gateway.upstream import ResponseSink, UpstreamRequest
from answerable.gateway.upstream_credentials import exchanged_token_cache
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.upstream_credentials.exchanged_token_cache import (
    UpstreamTokenCache,
)
from answerable.gateway.upstream_credentials.leak_filter import NO_SECRETS
from answerable.gateway.upstream_credentials.provider import CredentialProvider
from answerable.model.caller import VerifiedCaller
from answerable.model.config import Config
from answerable.model.decision import AuthorizationRequest, Decision
from answerable.server.admission import AdmissionControl
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.processes.parent_process import ParentProcess
from answerable.server.wire.host_check import ServedNames
from answerable.usecases.authorization.authorize import Authorizer
from answerable.usecases.authorization.compile_policy import compile_decision_table
from tests.federation.sample_tokens import AUD, EC, ISS, NOW, OTHER_EC, document, public
from tests.gateway.http.gateway_fixture import fingerprint
from tests.gateway.http.in_memory_worker import Notes, Wire
from tests.gateway.http.message_builders import HOST
from tests.laws.cedar import policies
from tests.laws.messages import PROMPTS, TOOLS, URIS, Act, Side, http_of
from tests.laws.people import PARENT, PEER, STS, URL, WHO, Who

SECRET = b"s" * 32
PATTERNS = (*TOOLS, "read*", "*", "rm")
SHOWS = (b"authorization", b"cookie", b"dpop", b"host", b"x-api-key")
MODES = ("observe", "shadow", "enforce")


class Watching(Authorizer):
    """Keeps what it is asked."""

    asked: list[AuthorizationRequest]

    def authorize(self, request: AuthorizationRequest) -> Decision:
        """Decide, and keep the question."""
        self.asked.append(request)
        return super().authorize(request)

    def decide_listing(self, request: AuthorizationRequest) -> Decision:
        """Decide on an item of a list, and keep the question."""
        self.asked.append(request)
        return super().decide_listing(request)


class Given(UpstreamTokenCache):
    """Gets tokens without a token service; each tells for whom it is."""

    async def _request_token(
        self, caller: VerifiedCaller, server: str, token: str
    ) -> PresentedCredential | None:
        said = f"for.{caller.agent}.{caller.run}.{server}".encode().hex()
        answer = exchanged_token_cache._TokenAnswer(said, "Bearer", 3600)
        return exchanged_token_cache._build_credential(
            answer, self.upstream_principal(caller), NOW, NO_SECRETS
        )


class Service(CredentialProvider):
    """What servers are shown: such tokens, and a file of the operator's."""

    def __init__(self, config: Config, loop: asyncio.AbstractEventLoop) -> None:
        clock = partial(float, NOW)
        super().__init__(config, clock, loop.create_task, fingerprint, _untold)
        self._tokens = Given(config, clock, loop.create_task)


def _untold(event: str, server: str, what: str) -> None:
    """Leave what an operator would be told."""


class Echo:
    """A server over pipes that keeps what it gets."""

    session = ""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def send(self, sent: UpstreamRequest, sink: ResponseSink) -> PendingMessage:
        """Take a message."""
        self.got.append(sent.body)
        return PendingMessage(self, sent, sink)

    def cancel(self, under_way: PendingMessage) -> None:
        """Nobody waits for it any more."""

    pause_for = resume_for = cancel


class Lines:
    """What a client over pipes gets."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Take a line."""
        self.got.append(data)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message.

    Attributes:
        refused: Why it was turned away before a decision; empty where it was not.
        asked: What the decision was asked.
        decided: What was recorded: agent and decision.
        shown: What the server was shown.
        went: It got to the server.
        names: What the client sees of a list.
    """

    refused: str
    asked: tuple[object, ...]
    decided: tuple[tuple[str, Decision], ...]
    shown: tuple[bytes, ...]
    went: bool
    names: tuple[str, ...] = ()

    @property
    def core(self) -> tuple[object, ...]:
        """All but what the client was told it is refused for."""
        return self.asked, self.decided, self.shown, self.went, self.names


def _settings(rng: random.Random) -> dict[str, Any]:
    def rules() -> list[dict[str, Any]]:
        return [
            {
                "server": rng.choice(("files", "files", "mail")),
                "tools": rng.sample(PATTERNS, rng.randint(0, 3)),
                "resources": rng.sample((*URIS, "file:///srv/*"), rng.randint(0, 2)),
                "prompts": rng.sample((*PROMPTS, "*"), rng.randint(0, 1)),
            }
            for _ in range(rng.randint(0, 3))
        ]

    called_by: dict[str, list[dict[str, object]]] = {
        name: [{"issuer": "corp", "sub": name}]
        for name in ("ana", "ben", "dora", "cert")
    }
    called_by["sock"] = [{"unix": {"uid": PEER.uid}}]
    called_by["desk"] = [{"stdio": "files"}]
    keys = {"audience": AUD, "algs": ["ES256"], "bearer": True}
    return {
        "listen": {"gateway": [{"address": "127.0.0.1:8471"}]},
        "sts": {"url": STS, "listen": [{"unix": "/run/answerable/sts.sock"}]},
        "issuers": {
            "corp": {"iss": ISS, "keys": "keys.json", **keys},
            "own": {"iss": STS, "keys": "own.json", "ours": True, **keys},
        },
        "servers": {
            "files": {
                "url": "http://127.0.0.1:1/mcp",
                "reads": rng.sample(TOOLS, 2),
                "audience": "https://files.example",
            },
            "mail": {
                "url": "http://127.0.0.1:2/mcp",
                "credential": {"file": "mail.key", "header": "X-Api-Key"},
            },
        },
        "default_mode": rng.choice(MODES),
        "agents": {
            name: {
                "owner": "ana@example.com",
                "mode": rng.choice(MODES),
                "allow": rules(),
            }
            | ({"callers": called_by[name]} if name in called_by else {})
            for name in (*called_by, "child", "root")
        },
    }


def keys_in(folder: Path) -> Path:
    """Write the keys of both issuers, and what a server is shown."""
    (folder / "keys.json").write_bytes(document(public(EC, kid="k1")))
    (folder / "own.json").write_bytes(document(public(OTHER_EC, kid="own")))
    (folder / "mail.key").touch(0o600)
    (folder / "mail.key").write_text("what-the-operator-keeps")
    return folder


@dataclass
class World:
    """One gateway, and what it decides by.

    Attributes:
        authority: Decides.
        http_server: The parts of its door.
    """

    authority: Watching
    http_server: GatewayHttpServer
    pipes: CallPipeline
    parent: VerifiedCaller
    notes: Notes
    proofs: Iterator[int]
    echo: Echo = field(default_factory=Echo)

    @classmethod
    def make(
        cls, rng: random.Random, folder: Path, loop: asyncio.AbstractEventLoop
    ) -> "World":
        """Make one by chance."""
        config = _config(rng, folder)
        authority = Watching(compile_decision_table(config, policies(rng, config)))
        authority.asked = []
        authority.update_revocations(_kills(rng))
        authority.set_quarantine(_quarantine(rng))
        ticker = DeadlineTimer(loop)
        ticker.add = lambda timed: None  # type: ignore[method-assign]
        notes: Any = Notes(loop)
        notes.record_decision = lambda *facts, **_: Notes.record_decision(
            notes, *facts[:4]
        )
        pools = {
            each.name: UpstreamPool(parse_endpoint(each), config.limits, ticker, loop)
            for each in config.servers
        }
        credentials = Service(config, loop)
        exchange = CallPipeline(authority, notes, pools, credentials)
        callers = CallerAuthenticator(
            config, IssuerKeyCache(config.issuers), lambda: NOW - 1000, secret=SECRET
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
        http_server.clock = lambda: NOW
        parent = callers.authenticate_parent(
            "files", ParentProcess(PARENT, "", advisory=False)
        )
        echo = Echo()
        pipes = CallPipeline(authority, notes, {"files": echo})
        world = cls(
            authority, http_server, pipes, parent, notes, iter(range(1 << 40)), echo
        )
        world._get_tokens(callers, credentials)
        return world

    def _get_tokens(self, callers: CallerAuthenticator, credentials: Service) -> None:
        """Have what servers are shown, so that no call waits for it."""
        for who in WHO:
            data = http_of(Side(who), Act("", "ping", {}), self.proofs)
            head, end, _ = data.partition(b"\r\n\r\n")
            caller = callers.authenticate(
                self.http_server.read(head + end).head, who.link, NOW
            )
            self.http_server.loop.run_until_complete(
                credentials.fetch_credential(caller, "files", "t")
            )
        self.http_server.loop.run_until_complete(
            credentials.fetch_credential(caller, "mail", "")
        )

    def http(self, who: Who, data: bytes, answer: bytes = b"") -> Outcome:
        """Send one request over HTTP; an answer comes where it went on."""
        self._begin()
        front = ClientConnection(
            self.http_server, ServedNames(frozenset({HOST})), URL, link=who.link
        )
        client, wires = Wire(), {}
        front.connection_made(client)  # type: ignore[arg-type]
        for name, pool in self.http_server.exchange.servers.items():
            assert isinstance(pool, UpstreamPool)
            pool._idle.clear()
            upstream, server = _UpstreamConnection(pool), Wire()
            upstream.connection_made(server)  # type: ignore[arg-type]
            pool.add_idle(upstream)
            wires[name] = upstream, server
        front.data_received(data)
        sent = {name: wire.written for name, (_, wire) in wires.items() if wire.written}
        if answer and sent:
            wires[next(iter(sent))][0].data_received(answer)
        names = _names(client.written) if answer else ()
        front.connection_lost(None)
        return self._outcome(
            tuple(line for said in sent.values() for line in _shown(said)),
            went=bool(sent),
            names=names,
        )

    def stdio(self, lines: Sequence[bytes]) -> Outcome:
        """Write lines over pipes; what became of the last one."""
        front = Pipe(
            self.pipes, self.parent, "files", self.echo,
            most=64, bridged=False, changed=lambda: None,
        )  # fmt: skip
        out = Lines()
        front.out = out  # type: ignore[assignment]
        for line in lines:
            self._begin()
            self.echo.got.clear()
            front.on_input(line + b"\n")
        outcome = self._outcome((), went=bool(self.echo.got))
        front.close()
        return outcome

    def _begin(self) -> None:
        self.authority.asked.clear()
        self.notes.kept.clear()

    def _outcome(
        self, shown: tuple[bytes, ...], *, went: bool, names: tuple[str, ...] = ()
    ) -> Outcome:
        refused, decided = "", []
        for note in self.notes.kept:
            match note:
                case (str() as agent, _, Decision() as decision, _):
                    decided.append((agent, decision))
                case (str() as why, str(), str()):
                    refused = why
        asked = tuple(map(_plain, self.authority.asked))
        return Outcome(refused, asked, tuple(decided), shown, went, names)


def _config(rng: random.Random, folder: Path) -> Config:
    text = json.dumps(_settings(rng)).encode()
    reading = parse_config(text, "answerable.yaml", str(folder))
    assert reading.config is not None, reading.faults
    return reading.config


def _kills(rng: random.Random) -> frozenset[str]:
    some = ("agent:declared/ben", "server:mail", "tool:mcp/files/send", "run:d1")
    return frozenset(each for each in some if rng.random() < 0.1)


def _quarantine(rng: random.Random) -> dict[str, ServerQuarantine]:
    if rng.random() < 0.7:
        return {}
    return {"files": ServerQuarantine(tools=frozenset(rng.sample(TOOLS, 1)))}


def _plain(request: AuthorizationRequest) -> tuple[object, ...]:
    """A request that compares: arguments as what they mean."""
    fields = {
        name: getattr(request, name) for name in AuthorizationRequest.__struct_fields__
    }
    raw = bytes(fields.pop("arguments"))
    return (*fields.items(), json.dumps(json.loads(raw or b"null"), sort_keys=True))


def _shown(sent: bytes) -> Iterator[bytes]:
    """What of a request shows a server who asks."""
    head = sent.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        name = line.partition(b":")[0].lower()
        if name in SHOWS or b" /" in name:
            yield line


def _names(written: bytes) -> tuple[str, ...]:
    body = written.partition(b"\r\n\r\n")[2]
    try:
        tools = json.loads(body)["result"]["tools"]
    except (ValueError, KeyError):
        return ()
    return tuple(each["name"] for each in tools)
