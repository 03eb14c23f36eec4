"""Journal files: one per writing process, durable when `append` returns."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence

from answerable.evidence import journal_format as frames
from answerable.model.errors import VerificationError
from answerable.store.durable_files import (
    FILE_MODE,
    reached,
    read_regular,
    refused,
    sync_folder,
    write_all,
    write_file,
)
from answerable.store.log_keys import Keys
from answerable.store.store_layout import Layout


class Writer:
    """Journal of this process, locked while it is open.

    Attributes:
        name: Random name of the journal.
        count: Number of acknowledged records.
        size: Size in bytes.
    """

    def __init__(self, layout: Layout, keys: Keys) -> None:
        self.name = secrets.token_hex(8)
        self._keys = keys
        self._header = frames.header(self.name)
        self._chain = frames.chain_start(self._header)
        self.count = 0
        self.size = len(self._header)
        self._path = layout.journal_file(self.name)
        with refused("write", self._path):
            # The head first: a journal without one is damaged.
            self._last = self._newest(0, self._chain)
            write_file(layout.head_file(self.name), self._last)
            self._head_handle = os.open(
                layout.head_file(self.name), os.O_WRONLY | os.O_NONBLOCK
            )
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            self._handle = os.open(self._path, flags, FILE_MODE)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write_all(self._handle, self._header, "journal-header")
            os.fsync(self._handle)
            sync_folder(layout.journal)
        reached("journal-made")

    def _head(self, count: int, chain: bytes) -> bytes:
        signature = self._keys.sign(frames.signed_part(self._header, count, chain))
        return frames.head_body(count, chain, signature)

    def _newest(self, count: int, chain: bytes) -> bytes:
        text = frames.signed_newest(self._header, count, chain)
        return frames.head_body(count, chain, self._keys.sign(text))

    def append(self, records: Sequence[bytes]) -> None:
        """Append records; they are on disk when this returns.

        Raises:
            EnvironmentRefused: The disk failed; the journal is unchanged.
        """
        data, chain = frames.pack(records, self._chain)
        count = self.count + len(records)
        data += frames.head_frame(self._head(count, chain))
        newest = self._newest(count, chain)
        with refused("write", self._path):
            self._rewind()
            try:
                write_all(self._handle, data, "journal-write")
                reached("journal-written")
                os.fdatasync(self._handle)
                reached("journal-synced")
                os.pwrite(self._head_handle, newest, 0)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._rewind()
                raise
        reached("journal-acknowledged")
        self._chain, self.count, self.size = chain, count, self.size + len(data)
        self._last = newest

    def _rewind(self) -> None:
        """Truncate bytes written after the last acknowledged group.

        A failing disk may refuse this too, and a signal may interrupt it: then it is
        repeated before the next group.
        """
        if os.lseek(self._handle, 0, os.SEEK_CUR) != self.size:
            os.ftruncate(self._handle, self.size)
            os.lseek(self._handle, self.size, os.SEEK_SET)
            os.pwrite(self._head_handle, self._last, 0)

    def close(self) -> None:
        """Close and unlock the journal: any process may seal it now."""
        if self._handle >= 0:
            os.close(self._handle)
            os.close(self._head_handle)
        self._handle = -1


def names(layout: Layout) -> list[str]:
    """List the journals on disk."""
    with refused("read", layout.journal):
        return sorted(path.stem for path in layout.journal.glob("*.log"))


@contextlib.contextmanager
def held(layout: Layout, name: str) -> Iterator[bool]:
    """Lock the journal of an ended process; False where it is alive or missing."""
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


def load(layout: Layout, keys: Keys, name: str) -> frames.Journal:
    """Read and verify a whole journal.

    Raises:
        FileNotFoundError: It is missing.
    """
    data = read_regular(layout.journal_file(name))
    return frames.read(data, name, keys.verify)


def tail(layout: Layout, name: str) -> list[bytes]:
    """Read the records of a journal for a query: checks the chain, not signatures.

    Raises:
        FileNotFoundError: It is missing.
    """
    data = read_regular(layout.journal_file(name))
    return frames.read(data, name, lambda signature, text: True).records


def acknowledged(layout: Layout, name: str) -> list[bytes]:
    """Read the records that the last written head file covers.

    Another process may have written more that is not durable yet.

    Raises:
        FileNotFoundError: The journal is missing.
    """
    body = head_bytes(layout, name)
    if body is None or len(body) != frames.HEAD:
        return []
    return tail(layout, name)[: frames.read_head(body).count]


def load_whole(layout: Layout, keys: Keys, name: str) -> frames.Journal:
    """Read a journal that must be valid up to its last head.

    Raises:
        VerificationError: It is not; the message names the record.
        FileNotFoundError: It is missing.
    """
    # The head first: a live journal grows between the two reads.
    head = head_bytes(layout, name)
    journal = load(layout, keys, name)
    found = fault(keys, name, journal, head)
    if found:
        raise VerificationError(
            f"journal/{name}.log: {found}", "see: answerable evidence verify"
        )
    return journal


def head_bytes(layout: Layout, name: str) -> bytes | None:
    """Read the head file of a journal, None if missing."""
    try:
        return read_regular(layout.head_file(name))
    except FileNotFoundError:
        return None


def newest(layout: Layout, keys: Keys, name: str) -> frames.Head | None:
    """Read the signed head of a journal; None if missing.

    Raises:
        VerificationError: It is not signed by the store's key.
    """
    body = head_bytes(layout, name)
    if body is None:
        return None
    if len(body) == frames.HEAD:
        head = frames.read_head(body)
        for first in frames.headers(name):
            signed = frames.signed_newest(first, head.count, head.chain)
            if keys.verify(head.signature, signed):
                return head
    raise VerificationError(
        f"journal/{name}.head does not hold", "see: answerable evidence verify"
    )


def fault(keys: Keys, name: str, journal: frames.Journal, body: bytes | None) -> str:
    """Describe the first fault of a journal, empty for none.

    The journal may be ahead of its head file, which is written later and not synced; it
    is never behind. Remains of an unacknowledged group after a power loss are no fault.
    """
    if journal.fault and not journal.torn:
        return journal.fault
    if body is None:
        return "its head file is missing"
    if len(body) != frames.HEAD:
        return "its head file is cut short"
    head = frames.read_head(body)
    signed = frames.signed_newest(journal.header, head.count, head.chain)
    if not keys.verify(head.signature, signed):
        return "its head file does not hold"
    held = len(journal.records)
    if head.count > held:
        return journal.fault or (
            f"record {held + journal.unsigned} or the head after it is missing or "
            f"damaged (its head file counts {head.count})"
        )
    if frames.chain_after(journal.header, journal.leaves[: head.count]) != head.chain:
        return "its head file is of another journal"
    return ""
