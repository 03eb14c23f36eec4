"""Exchange messages between supervisor and workers: one JSON object per line.

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
from answerable.model.approval_request import BlockedCall
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicy, CedarPolicySet
from answerable.model.policy_replay import PolicyReplayResult
from answerable.server.listening_sockets import InheritedSocket
from answerable.services.statements.statements_in_force import EncodedStatements

Interned = TypeVar("Interned")

# Policies as they are sent: a few times their text, which the reader bounds.
MAX_RULES = 256 << 20
# A configuration as base64, with room for the other fields; policies likewise.
MAX_LINE = 16 * MAX_BYTES + 2 * MAX_RULES


class WorkerPolicy(msgspec.Struct, frozen=True, tag="policy"):
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

    def decode_rules(self) -> CedarPolicySet:
        """Decode the Cedar policies sent to a worker."""
        if not self.rules:
            return NO_CEDAR_POLICIES
        sent = msgspec.msgpack.decode(zlib.decompress(self.rules), type=_EncodedRules)
        rule = msgspec.msgpack.Decoder(CedarPolicy)
        one = _Interner()
        return CedarPolicySet(
            tuple(one.intern_rule(rule.decode(e)) for e in sent.rules), sent.digest
        )


class _EncodedRules(msgspec.Struct, frozen=True):
    """`CedarPolicySet` whose single rules are not decoded yet."""

    rules: tuple[msgspec.Raw, ...]
    digest: str


class _Interner:
    """Interner of equal values: two policy sets are in memory during a reload."""

    def __init__(self) -> None:
        self._known: dict[object, object] = {}

    def intern_rule(self, rule: CedarPolicy) -> CedarPolicy:
        """Return a rule that shares equal values with others."""
        return msgspec.structs.replace(
            rule,
            principal=self._intern_value(rule.principal),
            actions=self._intern_value(rule.actions),
            kind=self._intern_value(rule.kind),
            reads=self._intern_value(rule.reads),
            prefixes=self._intern_value(rule.prefixes),
        )

    def _intern_value(self, value: Interned) -> Interned:
        """Return the kept object that equals this one, to save memory."""
        return cast(Interned, self._known.setdefault(value, value))


class TryPolicy(msgspec.Struct, frozen=True, tag="try"):
    """Order to evaluate a policy on recent calls without applying it."""

    policy: WorkerPolicy


class StartWorker(msgspec.Struct, frozen=True, tag="start"):
    """First message to a worker.

    Attributes:
        worker: Number of the worker, from 0.
        state: State folder of the gateway.
        store: Folder of the store.
        sockets: Listening sockets that it inherits.
        policy: Policy to decide by.
        statements: Signed statements in force.
    """

    worker: int
    workers: int
    state: str
    store: str
    sockets: tuple[InheritedSocket, ...]
    policy: WorkerPolicy
    statements: EncodedStatements


class StatementsChanged(msgspec.Struct, frozen=True, tag="statements"):
    """Order to replace the signed statements of some kinds.

    Attributes:
        statements: All statements in force of each changed kind.
    """

    statements: EncodedStatements


class CollectMetrics(msgspec.Struct, frozen=True, tag="measure"):
    """Order to report metrics."""


class DrainWorker(msgspec.Struct, frozen=True, tag="drain"):
    """Order to finish open calls, and end."""


class WorkerReady(msgspec.Struct, frozen=True, tag="ready"):
    """Report that the worker listens."""


class OrderRefused(msgspec.Struct, frozen=True, tag="refused"):
    """Report that the worker cannot execute an order.

    Attributes:
        why: One line for the operator.
    """

    why: str
    hint: str = ""


class PolicyApplied(msgspec.Struct, frozen=True, tag="taken"):
    """Report that a policy is in force.

    Attributes:
        digest: Digest of the policy.
        replayed: Result of its replay on recent calls.
    """

    digest: str
    replayed: PolicyReplayResult


class PolicyTrialResult(msgspec.Struct, frozen=True, tag="tried"):
    """Report of a policy trial.

    Attributes:
        digest: Digest of the policy.
        replayed: Result of its replay on recent calls.
    """

    digest: str
    replayed: PolicyReplayResult


class ApprovalWanted(msgspec.Struct, frozen=True, tag="wants"):
    """Report of a denied call that its agent's owner could allow."""

    asked: BlockedCall


class MetricSeries(msgspec.Struct, frozen=True):
    """One time series of one worker: a counter, a gauge, or one bucket of a histogram.

    Attributes:
        name: Name of the metric.
        labels: Values of its labels, in order.
    """

    name: str
    labels: tuple[str, ...]
    value: float


class WorkerMetrics(msgspec.Struct, frozen=True, tag="measured"):
    """Report of metrics.

    Attributes:
        alarm: Current disk error; empty while the disk accepts writes.
    """

    series: tuple[MetricSeries, ...]
    alarm: str


WorkerReport = (
    WorkerReady
    | OrderRefused
    | PolicyApplied
    | PolicyTrialResult
    | ApprovalWanted
    | WorkerMetrics
)
WorkerOrder = (
    StartWorker
    | WorkerPolicy
    | TryPolicy
    | StatementsChanged
    | CollectMetrics
    | DrainWorker
)


class ControlChannel:
    """One end of the socket pair."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, pair: socket.socket) -> "ControlChannel":
        """Open a channel over a socket."""
        pair.setblocking(False)
        return cls(*await asyncio.open_connection(sock=pair, limit=MAX_LINE))

    def send(self, message: WorkerOrder | WorkerReport) -> None:
        """Send a message; a closed channel drops it."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def receive_orders(self) -> AsyncIterator[WorkerOrder]:
        """Yield the commands of the supervisor until it disconnects."""
        decoder = msgspec.json.Decoder(WorkerOrder)
        async for line in self._read_lines():
            yield decoder.decode(line)

    async def receive_reports(self) -> AsyncIterator[WorkerReport]:
        """Yield the reports of the worker until it is gone."""
        decoder = msgspec.json.Decoder(WorkerReport)
        async for line in self._read_lines():
            yield decoder.decode(line)

    def close(self) -> None:
        """Close the channel."""
        self._writer.close()

    async def _read_lines(self) -> AsyncIterator[bytes]:
        """Yield lines until the channel is closed."""
        while line := await self._read_line():
            yield line

    async def _read_line(self) -> bytes:
        """Read one line; empty if the peer is gone or the line is too long."""
        try:
            return await self._reader.readline()
        except (OSError, ValueError):  # gone, or a line beyond the limit
            return b""
