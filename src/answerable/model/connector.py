"""Connector interface: declaration, context, and the two protocols to implement."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from answerable.model.coverage import ReadProblem
from answerable.model.encoded_event import EncodedEvents
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.log_position import LogCursor
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.model.provenance import WrittenBy

if TYPE_CHECKING:
    from answerable.model.sighting import Probe, Sync


@dataclass(frozen=True, slots=True)
class ConnectorDeclaration:
    """Declaration of a connector, printed by `answerable where` and in the docs.

    Attributes:
        name: The word before the colon: `home`, `aws-keys`, `cloudtrail`.
        gives: `inventory` (scan) or `events` (ingest).
        location: Syntax after the colon, e.g. `DIR` or `FILE (live if empty)`.
        about: One line.
        written_by: Default class of its facts.
        reads: Paths or API calls it reads.
        permissions: Least-privilege permissions it needs, in the system's own words
            (`iam:ListAccessKeys`), empty for plain files.
        collects: Words for coverage: the fact kinds it can supply.
        live_prefix: Prefix of a location that is not a path, e.g. `role/`; empty where
            every location is a path.
        location_options: Names of `NAME=VALUE` parts of a location, which is then a list
            of paths and options with commas between them.
        live_name: Pattern of a location that names a live system if no path has that
            name; empty for none.
    """

    name: str
    gives: str
    location: str
    about: str
    written_by: WrittenBy
    reads: tuple[str, ...]
    permissions: tuple[str, ...]
    collects: tuple[str, ...]
    live_prefix: str = ""
    location_options: tuple[str, ...] = ()
    live_name: str = ""


@dataclass(frozen=True, slots=True)
class SyncContext:
    """Context that a use case passes to an inventory connector.

    Attributes:
        now: UTC nanoseconds.
        fingerprint: Keyed fingerprint of a secret value, hex. A connector may only take
            this fingerprint and a hint of a secret value.
        progress: Called with (done, total, what); total 0 when not known.
        endpoint_url: AWS endpoint override, empty for the usual one.
        profile: AWS profile, empty for the usual one.
        region: AWS region, empty for the usual one.
        role_arn: AWS role to assume first; empty for the caller.
        homes: Homes that another source reads, in this scan or an earlier one.
        project: Name of the project at the top of a checkout, if its `.git` names none.
        in_home: Whether a project belongs to the person whose home contains it.
        sessions: AWS sessions that the calls of one scan share, by role.
    """

    now: int
    fingerprint: Callable[[str], str]
    progress: ProgressCallback = ignore_progress_report
    endpoint_url: str = ""
    profile: str = ""
    region: str = ""
    role_arn: str = ""
    homes: tuple[str, ...] = ()
    project: str = ""
    in_home: bool = True
    sessions: dict[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MemberAccount:
    """Account of an organisation that a live scan reads.

    Attributes:
        account: Its number.
        name: Its display name.
        role_arn: Role for reading it; empty for the caller's own account.
    """

    account: str
    name: str
    role_arn: str


@dataclass(frozen=True, slots=True)
class Organization:
    """Organisation as described by its management account, before member scans.

    Attributes:
        id: `o-...`.
        sync: Its accounts, tree and control policies.
        members: The accounts to read, sorted by number.
    """

    id: str
    sync: "Sync"
    members: tuple[MemberAccount, ...]


class InventoryConnector(Protocol):
    """Inventory connector: reads one location completely. Implemented by `fetch.py`."""

    def sync(self, location: str, context: SyncContext) -> "Sync":
        """Read all facts of a location; list unreadable parts in `problems`.

        Raises:
            UsageError: The location does not exist or is not of the right kind.
            EnvironmentFailure: The location itself may not be read.
        """

    def list_locations_to_read(self, location: str) -> "tuple[Probe, ...]":
        """List every path or API call a sync would read, without reading contents."""


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Batch of records from one file, in file order.

    Attributes:
        place: File the records come from.
        events: Parsed records, without ingest time and salt.
        quarantined: Records that could not be parsed.
        done_bytes: Compressed bytes of the whole input read so far.
        total_bytes: Size of the whole input, 0 when not known.
        problems: Files that could not be read completely: the answer is partial.
        skipped: One reason per well-formed input without an audit record of this source
            (a digest file); it is counted, not kept.
        positions: Positions of the files that this batch ends, if they are kept.
        encoded: Parsed records in their stored encoding, instead of `events`; only for
            a context with an ingest time.
    """

    place: str
    events: tuple[AuditEvent, ...]
    quarantined: tuple[QuarantinedRecord, ...]
    done_bytes: int
    total_bytes: int
    problems: tuple[ReadProblem, ...] = ()
    skipped: tuple[str, ...] = ()
    positions: LogCursor = field(default_factory=dict)
    encoded: EncodedEvents = field(default_factory=EncodedEvents)


@dataclass(frozen=True, slots=True)
class EventLimits:
    """Limits that keep memory use flat for any input.

    Attributes:
        batch: Maximum events in a batch.
        record_bytes: Largest single record; a larger one is quarantined by its head.
        file_bytes: Largest decompressed JSON document that must be held whole.
    """

    batch: int = 10_000
    record_bytes: int = 4 << 20
    file_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class EventContext:
    """Context that a use case passes to an event connector.

    Attributes:
        limits: Limits of one batch and record.
        cursor: Positions of an earlier run, from which files are read; None to read all
            files whole, and to keep no positions.
        now: UTC nanoseconds; needed with a cursor.
        on_sealed: Functions that the connector adds; they are called after all records
            of the reading are sealed.
        ingest_time: UTC nanoseconds at which the records are stored, for a reader that
            has use for their encoding alone; 0 for one that needs events.
    """

    limits: EventLimits = field(default_factory=EventLimits)
    cursor: LogCursor | None = None
    now: int = 0
    on_sealed: list[Callable[[], None]] = field(default_factory=list, compare=False)
    ingest_time: int = 0


class EventConnector(Protocol):
    """Event connector: reads records in bounded batches. Implemented by `fetch.py`."""

    def read(self, location: str, context: EventContext) -> Iterator[EventBatch]:
        """Yield batches of events; files in sorted order, folders recursively.

        Raises:
            UsageError: The location does not exist or holds no such file.
            EnvironmentFailure: The location may not be read.
        """
