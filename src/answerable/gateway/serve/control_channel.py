"""Messages between supervisor and workers: one JSON object per line.

Each worker has a socket pair to its supervisor. A closed socket means that the other
side has ended: the worker then drains and ends, too.
"""

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator
from typing import TypeVar, cast

import msgspec

from answerable.connectors.config.parse.yaml_nodes import MAX_BYTES
from answerable.model.approval_request import Asked
from answerable.model.cedar_policy import NO_RULES, CedarRule, CedarRules
from answerable.model.person_request import Requested
from answerable.model.policy_exception import Amendment
from answerable.model.policy_replay import Replayed
from answerable.server.baseline_watch import InForce
from answerable.server.listening_sockets import Socket

T = TypeVar("T")

# Policies as they are sent: a few times their text, which the reader bounds.
MAX_RULES = 256 << 20
# A configuration as base64, with room for the other fields; policies likewise.
LIMIT = 16 * MAX_BYTES + 2 * MAX_RULES


class Policy(msgspec.Struct, frozen=True, tag="policy"):
    """Configuration and policies that a worker decides by.

    Attributes:
        text: Configuration file as the supervisor read it.
        place: Path of the file.
        folder: Folder that its relative paths refer to.
        whole: The policy is valid; otherwise every call is denied.
        inventory: Ids of the agents that a scan has found.
        rules: Checked Cedar policies as MessagePack, deflated; empty for none.
    """

    text: bytes
    place: str
    folder: str
    whole: bool
    inventory: tuple[str, ...]
    rules: bytes = b""

    def cedar(self) -> CedarRules:
        """Decode the Cedar policies."""
        if not self.rules:
            return NO_RULES
        sent = msgspec.msgpack.decode(zlib.decompress(self.rules), type=_Sent)
        rule = msgspec.msgpack.Decoder(CedarRule)
        one = _Once()
        return CedarRules(
            tuple(one.rule(rule.decode(e)) for e in sent.rules), sent.digest
        )


class _Sent(msgspec.Struct, frozen=True):
    """`CedarRules` whose single rules are not decoded yet."""

    rules: tuple[msgspec.Raw, ...]
    digest: str


class _Once:
    """Interner of equal values: two policy sets are in memory during a reload."""

    def __init__(self) -> None:
        self._known: dict[object, object] = {}

    def rule(self, rule: CedarRule) -> CedarRule:
        """Return a rule that shares equal values with others."""
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
    """Order to evaluate a policy on recent calls without applying it."""

    policy: Policy


class Start(msgspec.Struct, frozen=True, tag="start"):
    """First message to a worker.

    Attributes:
        worker: Number of the worker, from 0.
        state: State folder of the gateway.
        store: Folder of the store.
        sockets: Listening sockets that it inherits.
        policy: Policy to decide by.
        amendments: Policy exceptions in force.
        requests: Requests of persons in force.
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
    """Order to replace the policy exceptions.

    Attributes:
        standing: All policy exceptions in force.
    """

    standing: tuple[Amendment, ...]


class Baselined(msgspec.Struct, frozen=True, tag="baselined"):
    """Order to replace the baselines.

    Attributes:
        standing: All profiles in force.
    """

    standing: tuple[InForce, ...]


class Asking(msgspec.Struct, frozen=True, tag="asking"):
    """Order to replace the requests of persons.

    Attributes:
        standing: All requests in force.
    """

    standing: tuple[Requested, ...]


class Measure(msgspec.Struct, frozen=True, tag="measure"):
    """Order to report metrics."""


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Order to finish open calls, and end."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Report that the worker listens."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Report that the worker cannot execute an order.

    Attributes:
        why: One line for the operator.
    """

    why: str
    hint: str = ""


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """Report that a policy is in force.

    Attributes:
        digest: Digest of the policy.
        replayed: Result of its replay on recent calls.
    """

    digest: str
    replayed: Replayed


class Tried(msgspec.Struct, frozen=True, tag="tried"):
    """Report of a policy trial.

    Attributes:
        digest: Digest of the policy.
        replayed: Result of its replay on recent calls.
    """

    digest: str
    replayed: Replayed


class Wants(msgspec.Struct, frozen=True, tag="wants"):
    """Report of a denied call that its agent's owner could allow."""

    asked: Asked


class Series(msgspec.Struct, frozen=True):
    """One time series of one worker: a counter, a gauge, or one bucket of a histogram.

    Attributes:
        name: Name of the metric.
        labels: Values of its labels, in order.
    """

    name: str
    labels: tuple[str, ...]
    value: float


class Measured(msgspec.Struct, frozen=True, tag="measured"):
    """Report of metrics.

    Attributes:
        alarm: Current disk error; empty while the disk accepts writes.
    """

    series: tuple[Series, ...]
    alarm: str


Report = Ready | Refused | Taken | Tried | Wants | Measured
Order = Start | Policy | Try | Amended | Baselined | Asking | Measure | Drain


class Channel:
    """One end of the socket pair."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, pair: socket.socket) -> "Channel":
        """Open a channel over a socket."""
        pair.setblocking(False)
        return cls(*await asyncio.open_connection(sock=pair, limit=LIMIT))

    def say(self, said: Order | Report) -> None:
        """Send a message; a closed channel drops it."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(said) + b"\n")

    async def orders(self) -> AsyncIterator[Order]:
        """Yield the orders of the supervisor until it is gone."""
        decoder = msgspec.json.Decoder(Order)
        async for line in self._lines():
            yield decoder.decode(line)

    async def reports(self) -> AsyncIterator[Report]:
        """Yield the reports of the worker until it is gone."""
        decoder = msgspec.json.Decoder(Report)
        async for line in self._lines():
            yield decoder.decode(line)

    def close(self) -> None:
        """Close the channel."""
        self._writer.close()

    async def _lines(self) -> AsyncIterator[bytes]:
        while line := await self._line():
            yield line

    async def _line(self) -> bytes:
        try:
            return await self._reader.readline()
        except (OSError, ValueError):  # gone, or a line beyond the limit
            return b""
