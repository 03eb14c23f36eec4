"""Seal the journal of an ended process: segments first, then one commit to the log."""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from answerable.evidence.log_entries import (
    JournalOpened,
    JournalSealed,
    LogEntry,
    ObjectEntry,
    SegmentManifest,
)
from answerable.model.errors import AnswerableError
from answerable.store import journal_files
from answerable.store.conflict_records import CONFLICT, encode_conflicts
from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.durable_files import (
    mark_crash_point,
    sync_folder,
    translate_os_errors,
)
from answerable.store.object_store import ObjectStore
from answerable.store.segment_writer import (
    WrittenSegments,
    list_segments_sealed_since,
    write_journal_segments,
)
from answerable.store.store_keys import LogKeys
from answerable.store.store_layout import StoreLayout
from answerable.store.transparency_log import LogChangedError, TransparencyLog

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_ATTEMPTS = 50  # of sealing again, when another machine sealed meanwhile
_MAX_DELAY = 0.5  # seconds between two of them


class JournalSealer:
    """Sealer of the journals of ended processes; it keeps its query engine until closed.

    Args:
        layout: Layout of the store.
        log: Its log.
        keys: Its keys.
        objects: Its objects.
    """

    def __init__(
        self,
        layout: StoreLayout,
        log: TransparencyLog,
        keys: LogKeys,
        objects: ObjectStore,
    ) -> None:
        self._layout, self._log, self._keys = layout, log, keys
        self._objects = objects
        self._engine: DuckDbEngine | None = None

    def close(self) -> None:
        """Close the query engine."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def seal(
        self,
        name: str,
        now: int,
        *,
        must_be_valid: bool,
        writer: journal_files.JournalWriter | None,
    ) -> WrittenSegments | None:
        """Seal one journal, unless its process is alive.

        Args:
            name: The journal.
            now: UTC nanoseconds.
            must_be_valid: Refuse an invalid journal; else seal its valid part.
            writer: Closed writer of a journal of this process, maybe of this one.

        Returns:
            What was written; None if the process is alive or the journal is missing.

        Raises:
            VerificationError: The journal or the log was changed on disk.
            EnvironmentFailure: The disk failed.
        """
        layout = self._layout
        with journal_files.lock_ended_journal(layout, name) as mine:
            if not mine:
                return None
            for attempt in range(_ATTEMPTS):
                try:
                    with self._log.lock():
                        written = self._write_and_commit(
                            name, now, must_be_valid=must_be_valid, writer=writer
                        )
                    break
                except LogChangedError:
                    # Another machine sealed segments, which may have the same events.
                    if attempt == _ATTEMPTS - 1:
                        raise
                    time.sleep(random.uniform(0, _MAX_DELAY))  # noqa: S311 - no secret
            mark_crash_point("seal-committed")
            with translate_os_errors("remove", layout.journal_file(name)):
                layout.journal_file(name).unlink()
                mark_crash_point("seal-removed")
                layout.head_file(name).unlink(missing_ok=True)
                sync_folder(layout.journal)
        return written

    def _write_and_commit(
        self,
        name: str,
        now: int,
        *,
        must_be_valid: bool,
        writer: journal_files.JournalWriter | None,
    ) -> WrittenSegments:
        """Write the segments of a journal that is not sealed, and log them."""
        layout, keys = self._layout, self._keys
        entries = self._log.entries()
        if any(isinstance(e, JournalSealed) and e.journal == name for e in entries):
            return WrittenSegments([], {})
        if _is_unused_journal(layout, keys, name, entries):
            return WrittenSegments([], {})
        load = (
            journal_files.load_valid_journal
            if must_be_valid
            else journal_files.load_journal
        )
        own = writer if writer and writer.name == name else None
        contents = (own and own.read_back()) or load(layout, keys, name)
        mark_crash_point("seal-begin")
        previous = [e.segment for e in entries if isinstance(e, SegmentManifest)]
        try:
            written = write_journal_segments(
                layout,
                name,
                contents,
                previous[-1] if previous else "",
                list_segments_sealed_since(entries, name),
                now,
                open_engine=self._open_engine,
            )
        except BaseException:
            self.close()
            raise
        if written.conflicts:
            records = encode_conflicts(written.conflicts)
            self._objects.put(CONFLICT, records, now)
        self._log.append(written.entries, after=(JournalOpened, ObjectEntry))
        return written

    def _open_engine(self) -> DuckDbEngine:
        """Return the query engine, opened on first use."""
        if self._engine is None:
            self._engine = DuckDbEngine(self._layout.segments, threads=1)
        return self._engine


def seal_ended_journals(store: "EvidenceStore", now: int) -> None:
    """Seal what killed processes left, before a command adds to a store.

    A journal that cannot be sealed stays; `EvidenceStore.seal` reports it.
    """
    for name in store.layout.list_journals():
        with suppress(AnswerableError):
            store.seal_journal(name, now)


def _is_unused_journal(
    layout: StoreLayout, keys: LogKeys, name: str, entries: Sequence[LogEntry]
) -> bool:
    """Return whether a process ended before its journal was logged as opened.

    Nothing in such a journal was acknowledged, and its header may be cut short.
    """
    opened = {e.journal for e in entries if isinstance(e, JournalOpened)}
    if name in opened:  # the usual case: it is not read twice
        return False
    return not journal_files.load_journal(layout, keys, name).records
