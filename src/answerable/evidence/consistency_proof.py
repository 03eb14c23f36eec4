"""Consistency proof between two checkpoints, as one file.

The format is the body of an `add-checkpoint` request of C2SP tlog-witness: the old size,
one hash of RFC 9162 2.1.4 a line in base64, an empty line, and the new checkpoint. The
root of the old tree is in the old checkpoint, which the verifier has.
"""

import base64
from collections.abc import Sequence

from answerable.evidence.checkpoint import Checkpoint, parse_checkpoint
from answerable.evidence.merkle import verify_consistency
from answerable.evidence.signed_note import VerifierKey, decode_base64
from answerable.model.errors import VerificationError

_MAX_HASHES = 63  # C2SP tlog-witness


def is_consistency_proof(data: bytes) -> bool:
    """Return whether a file is a consistency proof."""
    return data.startswith(b"old ")


def encode_consistency_proof(old_size: int, path: Sequence[bytes], new: bytes) -> bytes:
    """Encode a proof that a new checkpoint extends an old tree."""
    lines = [f"old {old_size}", *(base64.b64encode(each).decode() for each in path)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + new


def verify_consistency_proof(
    proof: bytes, old: bytes, key: VerifierKey
) -> tuple[Checkpoint, Checkpoint]:
    """Verify a proof, and return the old and the new checkpoint.

    Raises:
        VerificationError: A signature or the proof is invalid.
    """
    head, _, note = proof.partition(b"\n\n")
    first, new = parse_checkpoint(old, key), parse_checkpoint(note, key)
    size, *lines = head.decode("utf-8", "replace").split("\n")
    if size != f"old {first.size}":
        raise VerificationError(
            f"the proof is for another checkpoint (got {size[:40]!r}, expected "
            f"'old {first.size}')"
        )
    path = [decode_base64(line) for line in lines]
    hashes = [each for each in path if each is not None and len(each) == 32]
    if len(hashes) != len(path) or len(path) > _MAX_HASHES:
        raise VerificationError("a hash of the proof is malformed")
    if first.origin != new.origin or not verify_consistency(
        first.size, first.root, new.size, new.root, hashes
    ):
        raise VerificationError(
            f"the log of size {new.size:,} does not extend the one of size "
            f"{first.size:,}: its history was rewritten, or the proof is wrong"
        )
    return first, new
