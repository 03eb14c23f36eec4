r"""Encode and verify the journal format: hash-chained records under signed heads.

    file    header group*
    header  b"answerable journal 3\n" NAME "\n"
    group   batch+ head
    batch   length (4 bytes, big endian, top bit 0) || one zstd frame with checksum
    content (length (4) || canonical bytes || first 2 bytes of chain hash)+
    head    0x80000000 | 104 (4 bytes) || count (8) || chain (32) || signature (64)

The first chain hash is SHA-256 of the header, each next one SHA-256(chain before ||
leaf hash of the record). A head signs `answerable journal head 3\n`, the header, count,
chain, and SHA-256 of the batches of its group. A record is acknowledged once the head
after it is on disk; batches after the last head were never acknowledged.

The head file of a journal has the same 104 bytes for the newest head, under a signature
of its own over `answerable journal newest 2\n`, the header, count and chain. No head in
the journal can stand in for it, so a journal that was cut at an older group is noticed.

Journals of format 2 have `length (4) || canonical bytes || chain (32)` for each record in
place of batches, and heads that sign `answerable journal head 2\n`, the header, count and
chain. Those of format 1 have one signature for both heads. Both are read, and no longer
written.
"""

import hashlib
import itertools
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from answerable.evidence.journal_batches import (
    CHECK_SIZE,
    MAX_BATCH_SIZE,
    MAX_RECORD_SIZE,
    ZSTD_MAGIC,
    BatchReader,
    pack_batches,
)
from answerable.model.encoded_event import EncodedEvents
from answerable.model.errors import VerificationError

_MAGIC = b"answerable journal 3\n"
_SIGNED = b"answerable journal head 3\n"
_NEWEST = b"answerable journal newest 2\n"
_MAGIC_2 = b"answerable journal 2\n"
_SIGNED_2 = b"answerable journal head 2\n"
_MAGIC_1 = b"answerable journal 1\n"
_SIGNED_1 = b"answerable journal head 1\n"
HEAD_SIZE = 104
_HEAD_MARK = 1 << 31
_HEAD_FRAME = (_HEAD_MARK | HEAD_SIZE).to_bytes(4, "big")
_CHAIN_SIZE = 32
_LENGTH = struct.Struct(">I")
SECTOR_SIZE = 512  # bytes that a disk writes whole or not at all
_ZEROS = bytes(SECTOR_SIZE)
_MAX_CANDIDATES = 1000


def build_journal_header(name: str) -> bytes:
    """Return the header of a journal in the current format."""
    return _MAGIC + name.encode("ascii") + b"\n"


def list_supported_headers(name: str) -> tuple[bytes, ...]:
    """Return the header of a journal in each supported format, newest first."""
    newest = build_journal_header(name)
    end = newest.removeprefix(_MAGIC)
    return newest, _MAGIC_2 + end, _MAGIC_1 + end


def initial_chain_hash(header: bytes) -> bytes:
    """Return the chain hash before the first record."""
    return hashlib.sha256(header).digest()


def chain_hash_after(header: bytes, leaves: Iterable[bytes]) -> bytes:
    """Return the chain hash after records, given by their leaf hashes in order."""
    chain = initial_chain_hash(header)
    for leaf in leaves:
        chain = hashlib.sha256(chain + leaf).digest()
    return chain


def frame_records(
    records: Sequence[bytes], leaves: Sequence[bytes], chain: bytes
) -> tuple[bytes, bytes]:
    """Frame records in compressed batches and extend the chain hash over them.

    Args:
        records: Canonical records.
        leaves: Their leaf hashes.
        chain: Chain hash before them.

    Returns:
        The frames, and the chain hash after the last record.
    """
    sha256 = hashlib.sha256
    chains = [chain := sha256(chain + leaf).digest() for leaf in leaves]
    frames: list[bytes] = []
    for batch in pack_batches(records, [each[:CHECK_SIZE] for each in chains]):
        frames += (len(batch).to_bytes(4, "big"), batch)
    return b"".join(frames), chain


def head_signing_input(header: bytes, count: int, chain: bytes, group: bytes) -> bytes:
    """Return the bytes that a head inside the journal signs.

    Args:
        header: Header of the journal.
        count: Records before the head.
        chain: Chain hash after them.
        group: Frames between the head before and this one.
    """
    text = header + count.to_bytes(8, "big") + chain
    if header.startswith(_MAGIC_1):
        return _SIGNED_1 + text
    if header.startswith(_MAGIC_2):
        return _SIGNED_2 + text
    return _SIGNED + text + hashlib.sha256(group).digest()


def newest_head_signing_input(header: bytes, count: int, chain: bytes) -> bytes:
    """Return the bytes that the newest head signs, in the head file of the journal.

    Args:
        header: Header of the journal.
        count: Records in the journal.
        chain: Chain hash after them.
    """
    domain = _SIGNED_1 if header.startswith(_MAGIC_1) else _NEWEST
    return domain + header + count.to_bytes(8, "big") + chain


def encode_head(count: int, chain: bytes, signature: bytes) -> bytes:
    """Encode a journal's signed head: count, hash chain, signature (104 bytes)."""
    return count.to_bytes(8, "big") + chain + signature


def frame_head(body: bytes) -> bytes:
    """Frame a signed head for the journal: its marker, then its bytes."""
    return _HEAD_FRAME + body


@dataclass(frozen=True, slots=True)
class SignedHead:
    """Signed head of a journal: the record count and the chain hash after them."""

    count: int
    chain: bytes
    signature: bytes


def parse_head(body: bytes) -> SignedHead:
    """Decode the 104 bytes of a head; its signature is not verified.

    Raises:
        VerificationError: They are not 104 bytes.
    """
    if len(body) != HEAD_SIZE:
        raise VerificationError("a journal head is truncated")
    return SignedHead(int.from_bytes(body[:8], "big"), body[8:40], body[40:])


@dataclass(frozen=True, slots=True)
class JournalContents:
    """Parsed content of a journal file.

    Attributes:
        header: Its first bytes; they say the format.
        records: Acknowledged records, in order.
        head: The last head, None when nothing was acknowledged.
        end: Where the acknowledged bytes end.
        unsigned: Whole records after the last head.
        behind: Bytes after the last head.
        fault: The first fault, empty for none.
        torn: Whether the fault may be a group that a loss of power left half written:
            sectors are missing in it, and no later group was acknowledged.
        events: The records as they were appended, if they are in memory.
    """

    header: bytes
    records: list[bytes]
    leaves: list[bytes]
    head: SignedHead | None
    end: int
    unsigned: int
    behind: int
    fault: str
    torn: bool = False
    events: EncodedEvents | None = None


def read_journal(
    data: bytes, name: str, verify: Callable[[bytes, bytes], bool]
) -> JournalContents:
    """Read and verify a journal up to the first fault.

    Args:
        verify: Verifies (signature, data); called once for each head.
    """
    first = next(filter(data.startswith, list_supported_headers(name)), b"")
    if not first:
        return JournalContents(
            header=first,
            records=[],
            leaves=[],
            head=None,
            end=0,
            unsigned=0,
            behind=len(data),
            fault="header is invalid",
        )
    walk = _JournalReader(first)
    fault = ""
    while not fault:
        fault = walk.verify_records(data)
        body = data[walk.at + 4 : walk.at + 4 + HEAD_SIZE]
        if fault or len(body) < HEAD_SIZE or not data.startswith(_HEAD_FRAME, walk.at):
            break
        fault = walk.verify_head(body, data[walk.end : walk.at], verify)
    if not fault and not walk.may_be_truncated_frame(data[walk.at :]):
        fault = f"bytes after record {len(walk.records)} are not part of a journal"
    held = walk.head.count if walk.head else 0
    unsigned = len(walk.records) - held
    del walk.records[held:], walk.leaves[held:]
    torn = bool(fault) and _may_be_torn_write(data, walk.end, first, verify)
    return JournalContents(
        header=first,
        records=walk.records,
        leaves=walk.leaves,
        head=walk.head,
        end=walk.end,
        unsigned=unsigned,
        behind=len(data) - walk.end,
        fault=fault,
        torn=torn,
    )


def has_acknowledged_records(data: bytes, name: str) -> bool:
    """Return whether a journal's first group has records and a head; reads no more."""
    for first in list_supported_headers(name):
        if data.startswith(first):
            walk = _JournalReader(first)
            fault = walk.verify_records(data)
            body = data[walk.at + 4 : walk.at + 4 + HEAD_SIZE]
            ended = len(body) == HEAD_SIZE and data.startswith(_HEAD_FRAME, walk.at)
            return bool(not fault and walk.records and ended)
    return False


def _may_be_torn_write(
    data: bytes, end: int, header: bytes, verify: Callable[[bytes, bytes], bool]
) -> bool:
    """Return whether the bytes after the last head are one torn group of records.

    A group is written once the one before it is on disk, so a loss of power leaves
    holes in the last one alone.
    """
    bounds = [
        end,
        *range((end // SECTOR_SIZE + 1) * SECTOR_SIZE, len(data), SECTOR_SIZE),
        len(data),
    ]
    holes = any(
        data[start:stop] == _ZEROS[: stop - start]
        for start, stop in itertools.pairwise(bounds)
        if start < stop
    )
    # A head of format 3 covers the bytes of its group, so that of a torn one is invalid.
    most = 1 if header.startswith((_MAGIC_1, _MAGIC_2)) else 0
    return holes and _count_valid_heads(data, end, header, verify) <= most


def _count_valid_heads(
    data: bytes, start: int, header: bytes, verify: Callable[[bytes, bytes], bool]
) -> int:
    """Count valid signed heads after an offset, at most two."""
    found, at = 0, data.find(_HEAD_FRAME, start)
    for _ in range(_MAX_CANDIDATES):
        if at < 0 or found > 1:
            return found
        end = at + 4 + HEAD_SIZE
        body = data[at + 4 : end]
        if len(body) == HEAD_SIZE:
            there = parse_head(body)
            signed = head_signing_input(
                header, there.count, there.chain, data[start:at]
            )
            found += verify(there.signature, signed)
            start = end
        at = data.find(_HEAD_FRAME, at + 1)
    return 2  # no group holds so many


class _JournalReader:
    """Cursor over the frames of a journal."""

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.chain = initial_chain_hash(first)
        self.at = self.end = len(first)
        self.head: SignedHead | None = None
        self.records: list[bytes] = []
        self.leaves: list[bytes] = []
        self._batches = BatchReader() if first.startswith(_MAGIC) else None

    def may_be_truncated_frame(self, remaining: bytes) -> bool:
        """Return whether bytes may be the beginning of a frame that was cut.

        Args:
            remaining: Less than a frame.
        """
        frame = _HEAD_FRAME + len(self.records).to_bytes(8, "big")
        if remaining[:1] == frame[:1]:
            return frame.startswith(remaining[: len(frame)])
        most, first = (
            (MAX_BATCH_SIZE, ZSTD_MAGIC) if self._batches else (MAX_RECORD_SIZE, b"{")
        )
        longest = most.to_bytes(4, "big")
        return remaining[:4] <= longest[: len(remaining[:4])] and first.startswith(
            remaining[4 : 4 + len(first)]
        )

    def verify_head(
        self, body: bytes, group: bytes, verify: Callable[[bytes, bytes], bool]
    ) -> str:
        """Verify a head and advance past it; return the fault, empty if valid."""
        head, number = parse_head(body), len(self.records)
        text = head_signing_input(self.first, number, self.chain, group)
        if (
            head.count != number
            or head.chain != self.chain
            or not verify(head.signature, text)
        ):
            return f"head after record {number} is invalid"
        self.at += 4 + HEAD_SIZE
        self.end, self.head = self.at, head
        return ""

    def verify_records(self, data: bytes) -> str:
        """Verify the whole records before the next head, and advance past them.

        Returns:
            The fault, empty if they are valid.
        """
        if self._batches:
            return self._read_batches(data, self._batches)
        return self._verify_single_records(data)

    def _read_batches(self, data: bytes, reader: BatchReader) -> str:
        """Read whole batches; the head after them covers their bytes."""
        sha256, last = hashlib.sha256, len(data) - _LENGTH.size
        while self.at <= last:
            start = self.at + _LENGTH.size
            end = start + _LENGTH.unpack_from(data, self.at)[0]
            # A head has a length beyond any batch.
            if end - start > MAX_BATCH_SIZE or end > len(data):
                break
            records = reader.unpack(data[start:end])
            if records is None:
                return f"the batch from record {len(self.records)} on is invalid"
            chain = self.chain
            for record, check in records:
                leaf = sha256(b"\x00" + record).digest()
                chain = sha256(chain + leaf).digest()
                if not chain.startswith(check):
                    return f"record {len(self.records)} is invalid"
                self.records.append(record)
                self.leaves.append(leaf)
            self.at, self.chain = end, chain
        return ""

    def _verify_single_records(self, data: bytes) -> str:
        """Verify the whole records of a journal of format 1 or 2."""
        sha256, unpack_length = hashlib.sha256, _LENGTH.unpack_from
        records, leaves = self.records, self.leaves
        at, chain, fault = self.at, self.chain, ""
        last = len(data) - _LENGTH.size
        while at <= last:
            start = at + _LENGTH.size
            end = start + unpack_length(data, at)[0]
            # A head has a length beyond any record.
            if end - start > MAX_RECORD_SIZE or end + _CHAIN_SIZE > len(data):
                break
            record = data[start:end]
            leaf = sha256(b"\x00" + record).digest()
            after = sha256(chain + leaf).digest()
            if not data.startswith(after, end):
                fault = f"record {len(records)} is invalid"
                break
            records.append(record)
            leaves.append(leaf)
            at, chain = end + _CHAIN_SIZE, after
        self.at, self.chain = at, chain
        return fault
