"""Scheduled collection: when sources are read, and how their last runs went."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from answerable.model.config import Listener

WATCH_DEPLOYED = "watch-deployed"  # task of the section `watch`
_SENDER_LOCATION = "sender/"  # of records that a sender delivers
_RETENTION = re.compile(r"retain:([1-9][0-9]{0,4})(?:,source=([a-z][a-z0-9-]{0,40}))?")


@dataclass(frozen=True, slots=True)
class CollectionSchedule:
    """Schedule of one source; times are seconds.

    Attributes:
        every: Seconds between the starts of two runs; 0 where `at` has the times.
        at: Times of day (UTC), seconds after midnight, ascending.
        jitter: Maximum random delay of a run.
        deadline: Time limit of one run.
        retry: Delay after the first failure; it doubles with each further one.
        follow: The log is read while it grows: `every` is the interval of its scans.
        silent_after: Time without a new event after which a log is silent; 0 for never.
    """

    every: int = 0
    at: tuple[int, ...] = ()
    jitter: int = 0
    deadline: int = 3600
    retry: int = 30
    follow: bool = False
    silent_after: int = 0

    def __bool__(self) -> bool:
        return bool(self.every or self.at)


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """Item of `sources` in the configuration.

    Attributes:
        source: `NAME[:LOCATION]`, as `scan` or `ingest` take it.
        schedule: False where the source has no schedule.
    """

    source: str
    schedule: CollectionSchedule


@dataclass(frozen=True, slots=True)
class LogSender:
    """Sender of log records to the collector, and its credentials.

    Attributes:
        name: Its name in the configuration.
        source: `otel` or `k8s-audit`.
        cluster: Name of the cluster of `k8s-audit`.
        tokens: SHA-256 of each accepted bearer token, hex.
        certificates: SHA-256 of each accepted client certificate (DER), hex.
        agents: Agents that its telemetry may name; empty for any.
        silent_after: Seconds without a record after which it is late; 0 for never.
    """

    name: str
    source: str
    cluster: str = ""
    tokens: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    silent_after: int = 0

    @property
    def place(self) -> str:
        """Return the name of this sender as a source."""
        return f"{self.source}:{_SENDER_LOCATION}{self.name}"


@dataclass(frozen=True, slots=True)
class MaintenanceTask:
    """Scheduled task: `checkpoint`, `compact`, `retain`, a verification, or a watch.

    Attributes:
        name: Its text in the configuration, e.g. `retain:90,source=otel`.
        kind: Word before the colon.
        destination: Destination of a checkpoint.
        days: Days that a retention keeps.
        source: Log source of a retention; empty for all.
        config: Configuration that permissions in force are compared with.
    """

    name: str
    kind: str
    destination: str = ""
    days: int = 0
    source: str = ""
    config: str = ""


def parse_maintenance_task(text: str) -> MaintenanceTask | None:
    """Parse a maintenance task; None for any other text."""
    kind, colon, rest = text.partition(":")
    if kind == "checkpoint" and rest:
        return MaintenanceTask(text, kind, destination=rest)
    if kind == WATCH_DEPLOYED:
        return MaintenanceTask(text, kind, config=rest)
    if kind in ("compact", "verify", "verify-full") and not colon:
        return MaintenanceTask(text, kind)
    found = _RETENTION.fullmatch(text)
    if found is None:
        return None
    return MaintenanceTask(text, "retain", days=int(found[1]), source=found[2] or "")


@dataclass(frozen=True)
class CollectorConfig:
    """Section `collector`.

    Attributes:
        maintenance: Tasks of the store, each with its schedule.
        deployed: When permissions in force are compared with signed profiles
            (`watch.deployed`).
        listen: Listeners of health, readiness and metrics.
        parallel: Maximum number of concurrent runs.
        receive: Listeners of the receivers.
        senders: Senders that may use them.
        tiles: Listeners that publish the log of the store as tiles.
    """

    listen: "tuple[Listener, ...]" = ()
    parallel: int = 2
    receive: "tuple[Listener, ...]" = ()
    senders: tuple[LogSender, ...] = ()
    maintenance: tuple[tuple[str, CollectionSchedule], ...] = ()
    deployed: CollectionSchedule = CollectionSchedule()
    tiles: "tuple[Listener, ...]" = ()

    @property
    def has_work(self) -> bool:
        """Return whether there are senders, tasks, a watch or a log to publish."""
        return bool(self.senders or self.maintenance or self.deployed or self.tiles)


class SourceState(msgspec.Struct, frozen=True):
    """State of one scheduled source or task; times are UTC nanoseconds, 0 for never.

    Attributes:
        source: `NAME:LOCATION`, with an absolute path, or the name of the task.
        since: Time from which `late_after` is computed: the start of the last
            successful run, or the first time that the source was scheduled.
        late_after: Time after which its data is late.
        succeeded_at: Start of the last successful run.
        failed_at: Start of the last failed run.
        failures: Failed runs since the last successful one.
        reason: Reason of the last failure; empty after a success.
        problems: Unread parts of an ingested log in the last successful run.
        names: Names of this source in a snapshot.
        newest: Time of the newest event of a log.
        silent_at: Time after which a log without new events is silent.
    """

    source: str
    since: int
    late_after: int
    succeeded_at: int = 0
    failed_at: int = 0
    failures: int = 0
    reason: str = ""
    problems: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    newest: int = 0
    silent_at: int = 0


class UnreadLog(msgspec.Struct, frozen=True):
    """Incomplete log: counts of what was not read of a location.

    An `ingest` replaces them. A run of the collector, which reads the new parts alone,
    adds the records that it quarantines, and a receiver those that a sender delivered.

    Attributes:
        source: `NAME:LOCATION`, with an absolute path.
        at: Time of that run, UTC nanoseconds.
        quarantined: Records that could not be parsed.
        problems: Number of files or parts that could not be read, by kind of problem.
    """

    source: str
    at: int
    quarantined: int = 0
    problems: dict[str, int] = {}

    @property
    def is_complete(self) -> bool:
        """Return whether everything was read."""
        return not self.quarantined and not self.problems

    @property
    def connector(self) -> str:
        """Return the name of its connector, which names its events too."""
        return self.source.partition(":")[0]

    @property
    def is_of_sender(self) -> bool:
        """Return whether a sender delivered the records: no run reads them again."""
        return self.source.partition(":")[2].startswith(_SENDER_LOCATION)

    def describe(self) -> str:
        """Describe what was not read, as one line."""
        parts = []
        if count := sum(self.problems.values()):
            kinds = ", ".join(f"{n:,} {kind}" for kind, n in self.problems.items())
            files = "1 file or part" if count == 1 else f"{count:,} files or parts"
            parts.append(f"{files} could not be read ({kinds})")
        if count := self.quarantined:
            said = "1 record was" if count == 1 else f"{count:,} records were"
            parts.append(f"{said} quarantined")
        if self.is_of_sender:
            return " and ".join(parts)
        return f"{' and '.join(parts)}, and no complete ingestion followed"
