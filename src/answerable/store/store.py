"""Evidence store: append, seal and query events; store objects; manage keys."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, cast

from answerable.evidence.log_entries import (
    JournalOpened,
    JournalSealed,
    SegmentManifest,
)
from answerable.model.errors import AnswerableError, VerificationError
from answerable.store.object_store import LoggedObject, ObjectStore
from answerable.store.query_engine import NO_QUERY_LIMITS, EventQueries, QueryLimits
from answerable.store.store_keys import LogKeys
from answerable.store.store_layout import StoreLayout, open_layout
from answerable.store.transparency_log import ANY_ENTRY, TransparencyLog

if TYPE_CHECKING:  # what reads or writes events is imported where it runs
    from answerable.model.event import AuditEvent, QuarantinedRecord
    from answerable.store.deduplication import KnownEventIds, StoredEvent, StoredEvents
    from answerable.store.difference_encoder import EarlierObject
    from answerable.store.journal_files import JournalWriter
    from answerable.store.journal_sealing import JournalSealer
    from answerable.store.query_tables import NamedTable, ParquetTable
    from answerable.store.query_views import ViewDefinitions
    from answerable.store.search_index import EventPlace, SearchIndex
    from answerable.store.segment_scope import SegmentScope
    from answerable.store.shared_values import SharedValues

AttachmentT = TypeVar("AttachmentT")
EntryT = TypeVar("EntryT", SegmentManifest, JournalSealed)

# A journal of this size is sealed while more arrives.
MAX_JOURNAL_RECORDS = 50_000
MAX_JOURNAL_BYTES = 96 << 20


@dataclass(frozen=True, slots=True)
class AppendResult:
    """Result of appending a batch.

    Attributes:
        stored: New events, conflicts included.
        duplicate: Events stored before: same id, same raw record.
        conflict: Events whose id was stored before with another raw record; both are
            kept and an object of kind `conflict` is written.
    """

    stored: int
    duplicate: int
    conflict: int


class EvidenceStore:
    """Evidence store on local disk."""

    def __init__(self, layout: StoreLayout, index: "SearchIndex | None" = None) -> None:
        self.root = layout.root
        self.layout = layout
        self.keys = LogKeys(layout)
        self.log = TransparencyLog(layout, self.keys)
        self.queries = EventQueries(layout, self.log, self.keys, index)
        self._writer: JournalWriter | None = None
        self.objects = ObjectStore(layout, self.log)
        self._mine: set[str] = set()
        self._sealed = 0
        self._attached: dict[str, object] = {}
        self.shared_values: SharedValues | None = None  # with other threads
        self.derived = layout.root / "derived"

    @cached_property
    def _known(self) -> "KnownEventIds":
        """Ids of stored events, read when the first batch arrives."""
        from answerable.store.deduplication import KnownEventIds

        return KnownEventIds(self.layout, self.log)

    @cached_property
    def _sealer(self) -> "JournalSealer":
        """Sealer of journals, with a query engine from the first one on."""
        from answerable.store.journal_sealing import JournalSealer

        return JournalSealer(self.layout, self.log, self.keys, self.objects)

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        now: int,
        create: bool = True,
        index: "SearchIndex | None" = None,
    ) -> "EvidenceStore":
        """Open the evidence store in a folder, or create it.

        Args:
            root: The folder.
            now: UTC nanoseconds.
            create: Create a missing store.
            index: Search index shared by several threads.

        Raises:
            UsageError: The folder holds something else, or nothing and `create` is off.
            EnvironmentFailure: A newer release created it, or it is not readable.
        """
        del now  # nothing is written that carries a time
        return cls(open_layout(root, create=create), index)

    def __enter__(self) -> "EvidenceStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal and the connections; nothing acknowledged is lost."""
        self._close_writer()
        self.queries.close()
        for opened in ("_known", "_sealer"):
            if opened in self.__dict__:
                getattr(self, opened).close()

    def _close_writer(self) -> None:
        """Close the journal."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def get_or_create_cached(
        self, name: str, create: Callable[["EvidenceStore"], AttachmentT]
    ) -> AttachmentT:
        """Return an object cached with this open store; it checks for changes itself."""
        if name not in self._attached:
            self._attached[name] = create(self)
        return cast("AttachmentT", self._attached[name])

    def fingerprint(self, value: str) -> str:
        """Compute the keyed hash of a secret value: 24 hex digits."""
        return self.keys.fingerprint(value)

    def append(self, events: "StoredEvents", now: int) -> AppendResult:
        """Append events; they are durable when this returns.

        Idempotent by event id within a day. Ingest time and salt are set here, unless
        an event is encoded already.

        Raises:
            UsageError: An event cannot be encoded (an integer beyond 64 bits).
            EnvironmentFailure: The disk failed; nothing of the batch was stored, and
                the batch may be retried.
        """
        if not events:
            return AppendResult(0, 0, 0)
        self._known.recover_from_interruption(self._writer)
        fresh, duplicate, conflicts = self._known.split_new_events(events)
        if fresh and self._writer is None:
            # Sealing omits records that other processes sealed after this journal was
            # opened; records that they sealed before are excluded here.
            self._open_journal(now)
            fresh, duplicate, conflicts = self._known.split_new_events(events)
        if not fresh:
            return AppendResult(0, duplicate, 0)
        from answerable.store.new_records import encode_new_events

        encoded = encode_new_events(fresh, now)
        writer = self._open_journal(now)
        if conflicts:
            self._record_conflicting_events(conflicts, now)
        self._known.append_new_events(writer, fresh, encoded)
        if (
            writer.count >= MAX_JOURNAL_RECORDS
            or writer.record_bytes >= MAX_JOURNAL_BYTES
        ):
            self._seal_full_journal(writer, now)
        return AppendResult(len(fresh), duplicate, len(conflicts))

    def seal(self, now: int) -> int:
        """Seal this process's journal and those of ended processes into segments.

        Returns:
            Number of segments written.

        Raises:
            VerificationError: A journal or the log was changed on disk.
            EnvironmentFailure: The disk failed; sealing may be repeated.
        """
        from answerable.store import spill_folders

        spill_folders.sweep_spill_folders()
        writer = self._writer
        self._close_writer()
        others, damage = 0, None
        for name in self.layout.list_journals():
            try:
                written = self.seal_journal(name, now, writer=writer)
            except VerificationError as error:
                # The other journals are sealed nevertheless.
                damage = damage or error
                continue
            others += 0 if name in self._mine else written
        self._sealer.close()  # a server seals seldom
        self.queries.refresh_catalogue()
        before, self._sealed = self._sealed, len(self.list_own_entries(SegmentManifest))
        if damage is not None:
            raise damage
        return self._sealed - before + others

    def list_own_entries(self, kind: type[EntryT]) -> list[EntryT]:
        """List the log's entries of a kind about the journals of this process."""
        entries = self.log.entries()
        return [e for e in entries if isinstance(e, kind) and e.journal in self._mine]

    def _seal_full_journal(self, writer: "JournalWriter", now: int) -> None:
        """Seal a full journal; after a failure the next sealing reports it."""
        self._close_writer()
        with suppress(AnswerableError):
            self.seal_journal(writer.name, now, writer=writer)

    def seal_journal(
        self,
        name: str,
        now: int,
        *,
        must_be_valid: bool = True,
        writer: "JournalWriter | None" = None,
    ) -> int:
        """Seal one journal, unless its process is alive.

        Args:
            name: The journal.
            now: UTC nanoseconds.
            must_be_valid: Refuse an invalid journal; else seal its valid part.
            writer: Closed writer of a journal of this process, maybe of this one.

        Returns:
            Number of segments written.

        Raises:
            VerificationError: The journal or the log was changed on disk.
            EnvironmentFailure: The disk failed.
        """
        written = self._sealer.seal(
            name, now, must_be_valid=must_be_valid, writer=writer
        )
        if written is None:
            return 0
        self.queries.add_to_catalogue(written.statistics)
        return max(len(written.entries) - 1, 0)

    def run_query(
        self,
        query: str,
        parameters: Sequence[object] = (),
        tables: "Mapping[str, NamedTable | ParquetTable] | None" = None,
        scope: "SegmentScope | None" = None,
    ) -> list[tuple[object, ...]]:
        """Run trusted SQL over the events of the store (views `events` and `skimmed`).

        `store.event_columns` lists the columns: times are BIGINT nanoseconds. `skimmed`
        has the search columns of events (`store.search_index`), possibly from memory,
        and the place of each event for `read_events_at`.

        Args:
            query: SQL with `?` for parameters.
            parameters: Their values.
            tables: Extra tables by name, for this call.
            scope: Conditions that each row it uses meets, so that segments without
                such rows are not read; None for all rows.
        """
        return self.queries.run_query(query, parameters, tables or {}, scope)

    def read_events_at(
        self, places: "Sequence[EventPlace]", identities: Collection[str] = ()
    ) -> "list[AuditEvent]":
        """Read complete events by place (time, id, segment, row), in that order.

        Args:
            places: Rows `event_time, event_id, segment, row` of that view.
            identities: All identities of these events, if they are known: fewer parts
                of a segment are then read.
        """
        return self.queries.read_events_at(places, identities)

    def run_user_select(
        self,
        text: str,
        definitions: "ViewDefinitions | None" = None,
        limits: QueryLimits = NO_QUERY_LIMITS,
    ) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """Run user SQL: exactly one SELECT, locked down.

        Args:
            text: The query. It sees `events` with hex ids and timestamps.
            definitions: Extra tables, and views of trusted SELECTs. Views see these
                tables and `events_raw`, which equals `events` in `run_query`.
            limits: Limits of the query.

        Raises:
            UsageError: It is not exactly one SELECT, or it cannot be run.
        """
        return self.queries.run_user_select(text, definitions, limits)

    def find_unreadable_segments(self) -> dict[str, tuple[SegmentManifest, str]]:
        """Find the segments that queries leave out: `missing` or `damaged`, by name."""
        return self.queries.find_unreadable_segments()

    def put_object(
        self,
        kind: str,
        data: bytes | Iterable[bytes],
        now: int,
        earlier: "EarlierObject | None" = None,
    ) -> str:
        """Store an object under its digest and log it.

        Args:
            kind: Kind of the object.
            data: Its content, whole or in parts.
            now: UTC nanoseconds.
            earlier: Object from which it differs little, to store the difference only.

        Returns:
            SHA-256 of the data, hex.
        """
        return self.objects.put(kind, data, now, earlier)

    def read_whole_base(self, digest: str) -> tuple[str, Iterator[bytes]]:
        """Read the whole object from which an object, or others like it, differ."""
        return self.objects.read_whole_base(digest)

    def store_whole(self, bases: Collection[str]) -> None:
        """Store whole what differs from objects that will be removed."""
        self.objects.store_whole(bases)

    def get_object(self, digest: str) -> bytes:
        """Read the stored content that has a SHA-256 digest.

        Raises:
            UsageError: There is no such object.
            VerificationError: Its content does not match its digest.
        """
        return self.objects.get(digest)

    def list_objects(self, kind: str) -> tuple[LoggedObject, ...]:
        """List the objects of a kind that no policy removed, in log order."""
        return self.objects.list_objects(kind)

    def quarantine(self, records: "Sequence[QuarantinedRecord]", now: int) -> int:
        """Store unparseable records; equal bytes are stored once.

        Returns:
            Number of new records.
        """
        return self.objects.quarantine(records, now)

    def count_new_quarantined_records(
        self, records: "Sequence[QuarantinedRecord]"
    ) -> int:
        """Count the unparseable records that are not in quarantine yet."""
        return len(self.objects.select_new_quarantined_records(records))

    def _open_journal(self, now: int) -> "JournalWriter":
        """Return the open journal of this process; create and log it if needed."""
        if self._writer is None:
            from answerable.store.journal_files import JournalWriter

            writer = JournalWriter(self.layout, self.keys)
            try:
                self.log.append(
                    [JournalOpened(journal=writer.name, at=str(now))], after=ANY_ENTRY
                )
            except BaseException:
                writer.close()
                raise
            self._writer = writer
            self._mine.add(writer.name)
        return self._writer

    def _record_conflicting_events(
        self, conflicts: "Sequence[StoredEvent]", now: int
    ) -> None:
        """Store the ids and digests of events that conflict with stored ones."""
        from answerable.store.conflict_records import CONFLICT, encode_conflicts

        records = encode_conflicts((e.event_id, e.raw_sha256) for e in conflicts)
        self.put_object(CONFLICT, records, now)
