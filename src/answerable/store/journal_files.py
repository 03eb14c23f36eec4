"""Append to and read journal files: one per writing process, synced on each append."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass

from answerable.evidence import journal_format as frames
from answerable.model.encoded_event import EncodedEvents
from answerable.model.errors import VerificationError
from answerable.store.durable_files import (
    mark_crash_point,
    open_new_file,
    read_regular_file,
    sync_folder,
    translate_os_errors,
    write_all,
    write_file,
)
from answerable.store.store_keys import LogKeys
from answerable.store.store_layout import StoreLayout


@dataclass(frozen=True, slots=True)
class _AcknowledgedPart:
    """Part of a journal that is acknowledged; a signal sees this one or the next.

    Attributes:
        chain: Hash chain of its records.
        count: Number of its records.
        size: Size in bytes.
        newest_head: Content of the head file.
    """

    chain: bytes
    count: int
    size: int
    newest_head: bytes


class JournalWriter:
    """Journal of this process, locked while it is open.

    It keeps its records, so that sealing need not decode them again.

    Attributes:
        name: Random name of the journal.
        record_bytes: Size of its records before compression.
    """

    def __init__(self, layout: StoreLayout, keys: LogKeys) -> None:
        self.name = os.urandom(8).hex()
        self._keys = keys
        self._header = frames.build_journal_header(self.name)
        chain = frames.initial_chain_hash(self._header)
        self.record_bytes = 0
        self._path = layout.journal_file(self.name)
        self._layout = layout
        self._events = EncodedEvents()
        self._head: frames.SignedHead | None = None
        self._written = [self._header]
        with translate_os_errors("write", self._path):
            # The head first: a journal without one is damaged.
            newest = self._sign_newest_head(0, chain)
            self._part = _AcknowledgedPart(chain, 0, len(self._header), newest)
            write_file(layout.head_file(self.name), newest)
            self._head_handle = os.open(
                layout.head_file(self.name), os.O_WRONLY | os.O_NONBLOCK
            )
            self._handle = open_new_file(self._path, os.O_RDWR | os.O_EXCL)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write_all(self._handle, self._header, "journal-header")
            os.fsync(self._handle)
            sync_folder(layout.journal)
        mark_crash_point("journal-made")

    @property
    def count(self) -> int:
        """Return the number of acknowledged records."""
        return self._part.count

    @property
    def size(self) -> int:
        """Return the size of the acknowledged records in bytes."""
        return self._part.size

    def _sign_group_head(self, count: int, chain: bytes, group: bytes) -> bytes:
        """Sign count, hash chain and frames of a group of journal records."""
        signature = self._keys.sign(
            frames.head_signing_input(self._header, count, chain, group)
        )
        return frames.encode_head(count, chain, signature)

    def _sign_newest_head(self, count: int, chain: bytes) -> bytes:
        """Sign count and hash chain for the file that detects truncation."""
        text = frames.newest_head_signing_input(self._header, count, chain)
        return frames.encode_head(count, chain, self._keys.sign(text))

    def append(self, events: EncodedEvents) -> None:
        """Append records and a signed head; they are on disk when this returns.

        Raises:
            EnvironmentFailure: The disk failed; the journal is unchanged.
        """
        part = self._part
        data, chain = frames.frame_records(events.records, events.leaves, part.chain)
        count = part.count + len(events)
        head = self._sign_group_head(count, chain, data)
        data += frames.frame_head(head)
        newest = self._sign_newest_head(count, chain)
        with translate_os_errors("write", self._path):
            self.truncate_unacknowledged_bytes()
            try:
                write_all(self._handle, data, "journal-write")
                mark_crash_point("journal-written")
                os.fdatasync(self._handle)
                mark_crash_point("journal-synced")
                os.pwrite(self._head_handle, newest, 0)
            except BaseException:
                with contextlib.suppress(OSError):
                    self.truncate_unacknowledged_bytes()
                raise
        mark_crash_point("journal-acknowledged")
        self._part = _AcknowledgedPart(chain, count, part.size + len(data), newest)
        self.record_bytes += sum(map(len, events.records))
        self._head = frames.parse_head(head)
        self._events.extend(events)
        # Last: after an interruption here, the file is read instead.
        self._written.append(data)

    def read_back(self) -> frames.JournalContents | None:
        """Return the records if the files hold what was written; else None.

        Equal bytes need no check of their chain and signatures.
        """
        data, at = read_regular_file(self._path), 0
        for written in self._written:
            if not data.startswith(written, at):
                return None
            at += len(written)
        head = read_head_file(self._layout, self.name)
        if at != len(data) or head != self._part.newest_head:
            return None
        return frames.JournalContents(
            header=self._header,
            records=self._events.records,
            leaves=self._events.leaves,
            head=self._head,
            end=self.size,
            unsigned=0,
            behind=0,
            fault="",
            events=self._events,
        )

    def truncate_unacknowledged_bytes(self) -> None:
        """Truncate bytes written after the last acknowledged group.

        A failing disk may refuse this too, and a signal may interrupt it: then it is
        repeated before the next group. The head file may be older than the journal.
        """
        part = self._part
        if os.lseek(self._handle, 0, os.SEEK_CUR) != part.size:
            os.pwrite(self._head_handle, part.newest_head, 0)
            os.ftruncate(self._handle, part.size)
            os.lseek(self._handle, part.size, os.SEEK_SET)

    def close(self) -> None:
        """Close and unlock the journal, so that any process may seal it."""
        if self._handle >= 0:
            os.close(self._handle)
            os.close(self._head_handle)
        self._handle = -1


@contextlib.contextmanager
def lock_ended_journal(layout: StoreLayout, name: str) -> Iterator[bool]:
    """Lock the journal of an ended process; False if it still runs or is missing."""
    try:
        handle = os.open(layout.journal_file(name), os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        # It may have been sealed and removed between open and lock.
        yield layout.journal_file(name).exists()
    finally:
        os.close(handle)


def load_journal(
    layout: StoreLayout, keys: LogKeys, name: str
) -> frames.JournalContents:
    """Read and verify a whole journal.

    Raises:
        FileNotFoundError: It is missing.
    """
    data = read_regular_file(layout.journal_file(name))
    return frames.read_journal(data, name, keys.verify)


def read_unsealed_records(layout: StoreLayout, name: str) -> list[bytes]:
    """Read a journal's records for a query; checks the hash chain, not signatures.

    Raises:
        FileNotFoundError: It is missing.
    """
    return decode_unsealed_records(read_regular_file(layout.journal_file(name)), name)


def decode_unsealed_records(data: bytes, name: str) -> list[bytes]:
    """Decode a journal's records for a query; checks the hash chain, not signatures."""
    return frames.read_journal(data, name, lambda signature, text: True).records


def read_journals_with_records(layout: StoreLayout) -> dict[str, bytes]:
    """Read the content of the journals that have acknowledged records, by name."""
    found: dict[str, bytes] = {}
    for name in layout.list_journals():
        with contextlib.suppress(FileNotFoundError):  # sealed meanwhile
            data = read_regular_file(layout.journal_file(name))
            if frames.has_acknowledged_records(data, name):
                found[name] = data
    return found


def read_acknowledged_records(layout: StoreLayout, name: str) -> list[bytes]:
    """Read the records that the newest head file covers.

    Another process may have written more that is not durable yet.

    Raises:
        FileNotFoundError: The journal is missing.
    """
    body = read_head_file(layout, name)
    if body is None or len(body) != frames.HEAD_SIZE:
        return []
    return read_unsealed_records(layout, name)[: frames.parse_head(body).count]


def load_valid_journal(
    layout: StoreLayout, keys: LogKeys, name: str
) -> frames.JournalContents:
    """Read a journal, and refuse it unless it is valid up to its last head.

    Raises:
        VerificationError: It is not; the message names the record.
        FileNotFoundError: It is missing.
    """
    # The head first: a live journal grows between the two reads.
    head = read_head_file(layout, name)
    journal = load_journal(layout, keys, name)
    found = describe_first_journal_fault(keys, journal, head)
    if found:
        raise VerificationError(
            f"journal/{name}.log: {found}", "see: answerable evidence verify"
        )
    return journal


def read_head_file(layout: StoreLayout, name: str) -> bytes | None:
    """Read the head file of a journal; None if missing."""
    try:
        return read_regular_file(layout.head_file(name))
    except FileNotFoundError:
        return None


def read_newest_journal_head(
    layout: StoreLayout, keys: LogKeys, name: str
) -> frames.SignedHead | None:
    """Read and verify the head file of a journal; None if missing.

    Raises:
        VerificationError: It is not signed by the store's key.
    """
    body = read_head_file(layout, name)
    if body is None:
        return None
    if len(body) == frames.HEAD_SIZE:
        head = frames.parse_head(body)
        for first in frames.list_supported_headers(name):
            signed = frames.newest_head_signing_input(first, head.count, head.chain)
            if keys.verify(head.signature, signed):
                return head
    raise VerificationError(
        f"journal/{name}.head is invalid", "see: answerable evidence verify"
    )


def describe_first_journal_fault(
    keys: LogKeys, journal: frames.JournalContents, body: bytes | None
) -> str:
    """Describe the first fault of a journal; empty if it is valid.

    The journal may be ahead of its head file, which is written later and not synced; it
    is never behind. Remains of an unacknowledged group after a power loss are no fault.
    """
    if journal.fault and not journal.torn:
        return journal.fault
    if body is None:
        return "its head file is missing"
    if len(body) != frames.HEAD_SIZE:
        return "its head file is truncated"
    head = frames.parse_head(body)
    signed = frames.newest_head_signing_input(journal.header, head.count, head.chain)
    if not keys.verify(head.signature, signed):
        return "its head file is invalid"
    held = len(journal.records)
    if head.count > held:
        return journal.fault or (
            f"record {held + journal.unsigned} or the head after it is missing or "
            f"damaged (its head file counts {head.count})"
        )
    if journal.head is not None and journal.head.count == head.count:
        chain = journal.head.chain  # verified while the journal was read
    else:
        chain = frames.chain_hash_after(journal.header, journal.leaves[: head.count])
    if chain != head.chain:
        return "its head file belongs to another journal"
    return ""
