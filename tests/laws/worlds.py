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

from answerable.authorization.quarantine import Quarantined
from answerable.connectors.config.parse.config_file import read_config
from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.http.client_connection import Front
from answerable.gateway.http.server import Door
from answerable.gateway.http.upstream_pool import Pool, _Connection, endpoint
from answerable.gateway.session_ids import Sessions
from answerable.gateway.stdio.client import Front as Pipe
from answerable.gateway.stdio.pending_message import UnderWay
from answerable.gateway.upstream import Sent, Sink
from answerable.gateway.upstream_credentials import token_cache
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.gateway.upstream_credentials.leak_filter import NONE
from answerable.gateway.upstream_credentials.provider import Credentials
from answerable.gateway.upstream_credentials.token_cache import Tokens
from answerable.model.caller import Caller
from answerable.model.config import Config
from answerable.model.decision import Decision, Request
from answerable.server.authentication.authenticator import Callers
from answerable.server.deadline_timer import Ticker
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.processes.parent_process import Parent
from answerable.server.wire.host_check import Served
from answerable.usecases.authorization.authorize import Authority
from answerable.usecases.authorization.compile_policy import table_of
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


class Watching(Authority):
    """Keeps what it is asked."""

    asked: list[Request]

    def authorize(self, request: Request) -> Decision:
        """Decide, and keep the question."""
        self.asked.append(request)
        return super().authorize(request)

    def lists(self, request: Request) -> Decision:
        """Decide on an item of a list, and keep the question."""
        self.asked.append(request)
        return super().lists(request)


class Given(Tokens):
    """Gets tokens without a token service; each tells for whom it is."""

    async def _ask(self, caller: Caller, server: str, token: str) -> Credential | None:
        said = f"for.{caller.agent}.{caller.run}.{server}".encode().hex()
        answer = token_cache._Answer(said, "Bearer", 3600)
        return token_cache._credential(answer, self.identity(caller), NOW, NONE)


class Service(Credentials):
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

    def send(self, sent: Sent, sink: Sink) -> UnderWay:
        """Take a message."""
        self.got.append(sent.body)
        return UnderWay(self, sent, sink)

    def forget(self, under_way: UnderWay) -> None:
        """Nobody waits for it any more."""

    hold = release = forget


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
        door: The parts of its door.
    """

    authority: Watching
    door: Door
    pipes: Exchange
    parent: Caller
    notes: Notes
    proofs: Iterator[int]
    echo: Echo = field(default_factory=Echo)

    @classmethod
    def make(
        cls, rng: random.Random, folder: Path, loop: asyncio.AbstractEventLoop
    ) -> "World":
        """Make one by chance."""
        config = _config(rng, folder)
        authority = Watching(table_of(config, policies(rng, config)))
        authority.asked = []
        authority.set_kills(_kills(rng))
        authority.set_quarantine(_quarantine(rng))
        ticker = Ticker(loop)
        ticker.add = lambda timed: None  # type: ignore[method-assign]
        notes: Any = Notes(loop)
        notes.decided = lambda *facts: Notes.decided(notes, *facts[:4])
        pools = {
            each.name: Pool(endpoint(each), config.limits, ticker, loop)
            for each in config.servers
        }
        credentials = Service(config, loop)
        exchange = Exchange(authority, notes, pools, credentials)
        callers = Callers(
            config, IssuerKeys(config.issuers), lambda: NOW - 1000, secret=SECRET
        )
        door = Door(exchange, callers, Sessions(SECRET), config.limits, ticker, loop)
        door.clock = lambda: NOW
        parent = callers.parent("files", Parent(PARENT, "", advisory=False))
        echo = Echo()
        pipes = Exchange(authority, notes, {"files": echo})
        world = cls(authority, door, pipes, parent, notes, iter(range(1 << 40)), echo)
        world._get_tokens(callers, credentials)
        return world

    def _get_tokens(self, callers: Callers, credentials: Service) -> None:
        """Have what servers are shown, so that no call waits for it."""
        for who in WHO:
            data = http_of(Side(who), Act("", "ping", {}), self.proofs)
            head, end, _ = data.partition(b"\r\n\r\n")
            caller = callers.identify(self.door.read(head + end).head, who.link, NOW)
            self.door.loop.run_until_complete(credentials.get(caller, "files", "t"))
        self.door.loop.run_until_complete(credentials.get(caller, "mail", ""))

    def http(self, who: Who, data: bytes, answer: bytes = b"") -> Outcome:
        """Send one request over HTTP; an answer comes where it went on."""
        self._begin()
        front = Front(self.door, Served(frozenset({HOST})), URL, link=who.link)
        client, wires = Wire(), {}
        front.connection_made(client)  # type: ignore[arg-type]
        for name, pool in self.door.exchange.servers.items():
            assert isinstance(pool, Pool)
            pool._idle.clear()
            upstream, server = _Connection(pool), Wire()
            upstream.connection_made(server)  # type: ignore[arg-type]
            pool.keep(upstream)
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
            front.heard(line + b"\n")
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
    reading = read_config(text, "answerable.yaml", str(folder))
    assert reading.config is not None, reading.faults
    return reading.config


def _kills(rng: random.Random) -> frozenset[str]:
    some = ("agent:declared/ben", "server:mail", "tool:mcp/files/send", "run:d1")
    return frozenset(each for each in some if rng.random() < 0.1)


def _quarantine(rng: random.Random) -> dict[str, Quarantined]:
    if rng.random() < 0.7:
        return {}
    return {"files": Quarantined(tools=frozenset(rng.sample(TOOLS, 1)))}


def _plain(request: Request) -> tuple[object, ...]:
    """A request that compares: arguments as what they mean."""
    fields = {name: getattr(request, name) for name in Request.__struct_fields__}
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
