r"""The journal's format: hash-chained records in groups, each under a signed head.

    file    header group*
    header  b"answerable journal 1\n" NAME "\n"
    group   record+ head
    record  length (4 bytes, big endian, top bit 0) || canonical bytes || chain (32)
    head    0x80000000 | 104 (4 bytes) || count (8) || chain (32) || signature (64)

The first chain hash is SHA-256 of the header, each next one SHA-256(chain before ||
leaf hash of the record). A head signs `answerable journal head 1\n`, the header, count
and chain. A record is acknowledged once the head after it is on disk; what stands after
the last head was never acknowledged.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from answerable.evidence.merkle import leaf_hash
from answerable.model.errors import VerificationError

_MAGIC = b"answerable journal 1\n"
_SIGNED = b"answerable journal head 1\n"
HEAD = 104
_HEAD_MARK = 1 << 31
_HEAD_FRAME = (_HEAD_MARK | HEAD).to_bytes(4, "big")
_CHAIN = 32
LONGEST = 16 << 20


def header(name: str) -> bytes:
    """Give the first bytes of a journal."""
    return _MAGIC + name.encode("ascii") + b"\n"


def chain_start(head: bytes) -> bytes:
    """Give the chain hash before the first record."""
    return hashlib.sha256(head).digest()


def chain_after(name: str, leaves: Iterable[bytes]) -> bytes:
    """Give the chain hash after the records with these leaf hashes."""
    chain = chain_start(header(name))
    for leaf in leaves:
        chain = hashlib.sha256(chain + leaf).digest()
    return chain


def pack(records: Iterable[bytes], chain: bytes) -> tuple[bytes, bytes]:
    """Frame records.

    Returns:
        The frames, and the chain hash after the last record.
    """
    sha256 = hashlib.sha256
    parts: list[bytes] = []
    for record in records:
        leaf = sha256(b"\x00" + record).digest()
        chain = sha256(chain + leaf).digest()
        parts += (len(record).to_bytes(4, "big"), record, chain)
    return b"".join(parts), chain


def signed_part(head: bytes, count: int, chain: bytes) -> bytes:
    """Give what a head signs."""
    return _SIGNED + head + count.to_bytes(8, "big") + chain


def head_body(count: int, chain: bytes, signature: bytes) -> bytes:
    """Give the 104 bytes of a head, as in the journal and in the file beside it."""
    return count.to_bytes(8, "big") + chain + signature


def head_frame(body: bytes) -> bytes:
    """Frame a head."""
    return _HEAD_FRAME + body


@dataclass(frozen=True, slots=True)
class Head:
    """A head: so many records, ending in this chain hash."""

    count: int
    chain: bytes
    signature: bytes


def read_head(body: bytes) -> Head:
    """Take the 104 bytes of a head apart.

    Raises:
        VerificationError: They are not 104 bytes.
    """
    if len(body) != HEAD:
        raise VerificationError("a journal head is cut short")
    return Head(int.from_bytes(body[:8], "big"), body[8:40], body[40:])


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal holds.

    Attributes:
        records: Acknowledged records, in order.
        leaves: Their leaf hashes.
        head: The last head, None when nothing was acknowledged.
        end: Where the acknowledged bytes end.
        unsigned: Whole records after the last head.
        fault: The first thing that does not hold, empty when all does.
    """

    records: list[bytes]
    leaves: list[bytes]
    head: Head | None
    end: int
    unsigned: int
    fault: str


def read(data: bytes, name: str, verify: Callable[[bytes, bytes], bool]) -> Journal:
    """Walk a journal as far as it holds.

    Args:
        data: The file.
        name: Its name.
        verify: Tells whether (signature, data) holds; called once for each head.
    """
    first = header(name)
    if not data.startswith(first):
        return Journal([], [], None, 0, 0, "header does not hold")
    walk = _Walk(first)
    fault = ""
    while not fault and len(data) - walk.at >= 4:
        word = int.from_bytes(data[walk.at : walk.at + 4], "big")
        if word & _HEAD_MARK:
            body = data[walk.at + 4 : walk.at + 4 + HEAD]
            if word != _HEAD_MARK | HEAD or len(body) < HEAD:
                break
            fault = walk.head_holds(body, verify)
        else:
            end = walk.at + 4 + word
            if word > LONGEST or end + _CHAIN > len(data):
                break
            fault = walk.record_holds(data[walk.at + 4 : end], data[end : end + _CHAIN])
    held = walk.head.count if walk.head else 0
    unsigned = len(walk.records) - held
    del walk.records[held:], walk.leaves[held:]
    return Journal(walk.records, walk.leaves, walk.head, walk.end, unsigned, fault)


class _Walk:
    """Where a reader stands in a journal."""

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.chain = chain_start(first)
        self.at = self.end = len(first)
        self.head: Head | None = None
        self.records: list[bytes] = []
        self.leaves: list[bytes] = []

    def head_holds(self, body: bytes, verify: Callable[[bytes, bytes], bool]) -> str:
        """Step over a head; say what does not hold."""
        head, number = read_head(body), len(self.records)
        text = signed_part(self.first, number, self.chain)
        if (
            head.count != number
            or head.chain != self.chain
            or not verify(head.signature, text)
        ):
            return f"head after record {number} does not hold"
        self.at += 4 + HEAD
        self.end, self.head = self.at, head
        return ""

    def record_holds(self, record: bytes, chain: bytes) -> str:
        """Step over a record; say what does not hold."""
        leaf = leaf_hash(record)
        self.chain = hashlib.sha256(self.chain + leaf).digest()
        if chain != self.chain:
            return f"record {len(self.records)} does not hold"
        self.records.append(record)
        self.leaves.append(leaf)
        self.at += 4 + len(record) + _CHAIN
        return ""
