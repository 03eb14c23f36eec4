"""What a supervisor and a worker say to each other: one JSON object a line.

Each worker has a pair of sockets to its supervisor alone. Where it ends without a
farewell the other side is gone: a worker then drains and ends, too.
"""

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator
from typing import TypeVar, cast

import msgspec

from answerable.connectors.config.parse.nodes import MAX_BYTES
from answerable.model.amendment import Amendment
from answerable.model.ask import Asked
from answerable.model.cedar import NO_RULES, CedarRule, CedarRules
from answerable.model.replay import Replayed
from answerable.model.requested import Requested
from answerable.serving.baselines import InForce
from answerable.serving.sockets import Socket

T = TypeVar("T")

# Policies as they are sent: a few times their text, which the reader bounds.
MAX_RULES = 256 << 20
# A configuration of base64, with room for what is sent beside it; policies likewise.
LIMIT = 16 * MAX_BYTES + 2 * MAX_RULES


class Policy(msgspec.Struct, frozen=True, tag="policy"):
    """What to decide by.

    Attributes:
        text: The configuration file, as the supervisor read it.
        place: Its path.
        folder: What its relative paths are taken from.
        whole: Its policy is right; otherwise everything is denied.
        inventory: Ids of the agents that a scan has found.
        rules: The Cedar policies, checked, as MessagePack and deflated; empty for none.
    """

    text: bytes
    place: str
    folder: str
    whole: bool
    inventory: tuple[str, ...]
    rules: bytes = b""

    def cedar(self) -> CedarRules:
        """The Cedar policies."""
        if not self.rules:
            return NO_RULES
        sent = msgspec.msgpack.decode(zlib.decompress(self.rules), type=_Sent)
        rule = msgspec.msgpack.Decoder(CedarRule)
        one = _Once()
        return CedarRules(
            tuple(one.rule(rule.decode(e)) for e in sent.rules), sent.digest
        )


class _Sent(msgspec.Struct, frozen=True):
    """The same as `CedarRules`, of which each rule is still to be read."""

    rules: tuple[msgspec.Raw, ...]
    digest: str


class _Once:
    """Has what many policies say the same in memory once: two sets are at a reload."""

    def __init__(self) -> None:
        self._known: dict[object, object] = {}

    def rule(self, rule: CedarRule) -> CedarRule:
        """Give a rule that shares what others say, too."""
        return msgspec.structs.replace(
            rule,
            principal=self._of(rule.principal),
            actions=self._of(rule.actions),
            kind=self._of(rule.kind),
            reads=self._of(rule.reads),
            prefixes=self._of(rule.prefixes),
        )

    def _of(self, said: T) -> T:
        return cast(T, self._known.setdefault(said, said))


class Try(msgspec.Struct, frozen=True, tag="try"):
    """Say what a policy would have decided lately; it does not come into force.

    Attributes:
        policy: It.
    """

    policy: Policy


class Start(msgspec.Struct, frozen=True, tag="start"):
    """The first thing a worker hears.

    Attributes:
        worker: Its number, from 0.
        workers: How many there are.
        state: The gateway's own folder.
        store: Folder of the store.
        sockets: What it listens on.
        policy: What to decide by.
        amendments: What owners have signed, in force.
        baselines: Profiles that agents are held to.
        requests: What persons asked agents for.
    """

    worker: int
    workers: int
    state: str
    store: str
    sockets: tuple[Socket, ...]
    policy: Policy
    amendments: tuple[Amendment, ...] = ()
    baselines: tuple[InForce, ...] = ()
    requests: tuple[Requested, ...] = ()


class Amended(msgspec.Struct, frozen=True, tag="amended"):
    """What owners have signed is something else from now on.

    Attributes:
        standing: All of it that is in force.
    """

    standing: tuple[Amendment, ...]


class Baselined(msgspec.Struct, frozen=True, tag="baselined"):
    """The profiles that agents are held to are others from now on.

    Attributes:
        standing: All that are in force.
    """

    standing: tuple[InForce, ...]


class Asking(msgspec.Struct, frozen=True, tag="asking"):
    """What persons asked agents for is something else from now on.

    Attributes:
        standing: All requests that stand.
    """

    standing: tuple[Requested, ...]


class Measure(msgspec.Struct, frozen=True, tag="measure"):
    """Say what was counted."""


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Finish what is under way, and end."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker listens."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The worker cannot do as it was told.

    Attributes:
        why: One line for the operator.
        hint: What to do next.
    """

    why: str
    hint: str = ""


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """A policy is in force.

    Attributes:
        digest: Of it.
        replayed: What it decides on the calls that were decided before it.
    """

    digest: str
    replayed: Replayed


class Tried(msgspec.Struct, frozen=True, tag="tried"):
    """What a policy would have decided.

    Attributes:
        digest: Of it.
        replayed: What it decides on the calls that were decided lately.
    """

    digest: str
    replayed: Replayed


class Wants(msgspec.Struct, frozen=True, tag="wants"):
    """A call was held back, and the agent's owner could let it pass.

    Attributes:
        asked: Which one.
    """

    asked: Asked


class Series(msgspec.Struct, frozen=True):
    """One time series of one worker: a counter, a gauge, or one bucket of a histogram.

    Attributes:
        name: Name of the metric.
        labels: Values of its labels, in order.
        value: Its value.
    """

    name: str
    labels: tuple[str, ...]
    value: float


class Measured(msgspec.Struct, frozen=True, tag="measured"):
    """What was counted.

    Attributes:
        series: Every time series.
        alarm: What the disk refuses at present, empty where it takes everything.
    """

    series: tuple[Series, ...]
    alarm: str


Report = Ready | Refused | Taken | Tried | Wants | Measured
Order = Start | Policy | Try | Amended | Baselined | Asking | Measure | Drain


class Channel:
    """One end of the pair."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, pair: socket.socket) -> "Channel":
        """Speak over a socket."""
        pair.setblocking(False)
        return cls(*await asyncio.open_connection(sock=pair, limit=LIMIT))

    def say(self, said: Order | Report) -> None:
        """Say something; where nobody listens any more, nothing happens."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(said) + b"\n")

    async def orders(self) -> AsyncIterator[Order]:
        """Yield what the supervisor says, until it is gone."""
        decoder = msgspec.json.Decoder(Order)
        async for line in self._lines():
            yield decoder.decode(line)

    async def reports(self) -> AsyncIterator[Report]:
        """Yield what the worker says, until it is gone."""
        decoder = msgspec.json.Decoder(Report)
        async for line in self._lines():
            yield decoder.decode(line)

    def close(self) -> None:
        """Say nothing more."""
        self._writer.close()

    async def _lines(self) -> AsyncIterator[bytes]:
        while line := await self._line():
            yield line

    async def _line(self) -> bytes:
        try:
            return await self._reader.readline()
        except (OSError, ValueError):  # gone, or a line beyond the limit
            return b""
