"""Sign and parse checkpoints (C2SP tlog-checkpoint): origin, tree size and root.

Two kinds of extension line follow the root; readers of the format pass over them:

    fingerprint-key DIGEST      of the key of fingerprints, so that a change of it shows
    journal NAME COUNT CHAIN    records not sealed yet; in exported checkpoints alone

DIGEST and CHAIN are 32 bytes in base64.
"""

import base64
import hashlib
from dataclasses import dataclass, replace

from answerable.evidence.signed_note import (
    VerifierKey,
    decode_base64,
    parse_unverified_note,
    sign_note,
    verify_note,
)
from answerable.model.errors import VerificationError

_FINGERPRINT_KEY = "fingerprint-key"
_JOURNAL = "journal"
_DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class JournalHead:
    """Head of a journal that is not sealed yet.

    Attributes:
        name: Name of the journal.
        chain: Chain hash after them, 32 bytes.
    """

    name: str
    count: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Content of a checkpoint: origin, tree size, root and extension lines.

    Attributes:
        origin: Name of the log.
        size: Leaves in the tree.
        root: 32 bytes.
        fingerprint_key: Digest of the key of fingerprints, empty where it is not said.
        journals: Heads of the journals that were not sealed.
    """

    origin: str
    size: int
    root: bytes
    fingerprint_key: bytes = b""
    journals: tuple[JournalHead, ...] = ()

    def sign(self, key: VerifierKey, seed: bytes) -> bytes:
        """Sign the log's checkpoint as a C2SP signed note."""
        lines = [self.origin, str(self.size), _encode_base64(self.root)]
        if self.fingerprint_key:
            lines.append(f"{_FINGERPRINT_KEY} {_encode_base64(self.fingerprint_key)}")
        lines += (
            f"{_JOURNAL} {each.name} {each.count} {_encode_base64(each.chain)}"
            for each in self.journals
        )
        return sign_note("".join(f"{line}\n" for line in lines), key, seed)


def fingerprint_key_digest(secret: bytes) -> bytes:
    """Hash the fingerprint key for a checkpoint, so that a change of it shows."""
    return hashlib.sha256(b"answerable fingerprint key 1\n" + secret).digest()


def parse_checkpoint(note: bytes, key: VerifierKey | None) -> Checkpoint:
    """Parse a checkpoint and, if a key is given, verify its signature.

    Raises:
        VerificationError: It is malformed, or not signed by the key.
    """
    text = parse_unverified_note(note) if key is None else verify_note(note, key)
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0]:
        raise VerificationError("the checkpoint is malformed")
    size = _parse_decimal(lines[1])
    if size is None:
        raise VerificationError("the checkpoint has a malformed tree size")
    root = _decode_digest(lines[2])
    if root is None:
        raise VerificationError("the checkpoint has a malformed root hash")
    checkpoint = Checkpoint(lines[0], size, root)
    for line in lines[3:-1]:
        checkpoint = _apply_extension_line(checkpoint, line)
    return checkpoint


def _apply_extension_line(checkpoint: Checkpoint, line: str) -> Checkpoint:
    """Parse an extension line into the checkpoint; an unknown kind is skipped."""
    kind, *fields = line.split(" ")
    if kind not in (_FINGERPRINT_KEY, _JOURNAL):
        return checkpoint  # of a later release
    malformed = VerificationError(f"the checkpoint's {kind} line is malformed")
    digest = _decode_digest(fields[-1]) if fields else None
    if digest is None:
        raise malformed
    if kind == _FINGERPRINT_KEY:
        if len(fields) != 1 or checkpoint.fingerprint_key:
            raise malformed
        return replace(checkpoint, fingerprint_key=digest)
    count = _parse_decimal(fields[1]) if len(fields) == 3 else None
    if count is None or fields[0] in {each.name for each in checkpoint.journals}:
        raise malformed
    head = JournalHead(fields[0], count, digest)
    return replace(checkpoint, journals=(*checkpoint.journals, head))


def _parse_decimal(text: str) -> int | None:
    """Parse ASCII digits without leading zeros (C2SP tlog-checkpoint)."""
    if not (text.isascii() and text.isdigit()) or str(int(text[:20])) != text:
        return None
    return int(text)


def _decode_digest(text: str) -> bytes | None:
    """Decode a digest of 32 bytes in base64; None if malformed."""
    data = decode_base64(text)
    return data if data is not None and len(data) == _DIGEST_SIZE else None


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
