"""Checkpoints (C2SP tlog-checkpoint): origin, tree size and root in a signed note."""

import base64
from dataclasses import dataclass

from answerable.evidence.note import (
    PublicKey,
    note_text,
    open_note,
    sign_note,
    unbase64,
)
from answerable.model.errors import VerificationError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says.

    Attributes:
        origin: Name of the log.
        size: Leaves in the tree.
        root: 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    def sign(self, key: PublicKey, seed: bytes) -> bytes:
        """Sign it as a note."""
        root = base64.b64encode(self.root).decode("ascii")
        return sign_note(f"{self.origin}\n{self.size}\n{root}\n", key, seed)


def read_checkpoint(note: bytes, key: PublicKey | None) -> Checkpoint:
    """Read a checkpoint; with a key, its signature must hold.

    Raises:
        VerificationError: It is malformed, or not signed by the key.
    """
    text = note_text(note) if key is None else open_note(note, key)
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0]:
        raise VerificationError("the checkpoint is malformed")
    number = lines[1]
    # Nothing but ASCII digits, and no leading zero (C2SP tlog-checkpoint).
    if not (number.isascii() and number.isdigit()) or str(int(number[:20])) != number:
        raise VerificationError("the checkpoint's tree size is malformed")
    root = unbase64(lines[2])
    if root is None or len(root) != 32:
        raise VerificationError("the checkpoint's root is malformed")
    return Checkpoint(lines[0], int(number), root)
