"""Verify the key files of a store."""

from contextlib import suppress
from pathlib import Path

from answerable.evidence.checkpoint import parse_checkpoint
from answerable.evidence.signed_note import VerifierKey
from answerable.model.errors import VerificationError
from answerable.store.durable_files import read_file
from answerable.store.store import EvidenceStore
from answerable.store.transparency_log import build_fingerprint_key_error


def check_key_files(store: EvidenceStore, key: VerifierKey | None, note: bytes) -> str:
    """Check that the key files belong together and to the checkpoint."""
    if not note and not (store.layout.keys / "log.pub").exists():
        return "no key exists: nothing has been signed"
    public = store.keys.public_key
    for name in ("log.pub", "log.key", "fingerprint.key"):
        _reject_extra_key_bytes(store.layout.keys / name)
    if key is not None and key != public:
        raise VerificationError("keys/log.pub is not the key given with --key")
    if not (store.layout.keys / "log.key").exists():
        return f"{public.name}; the signing key is missing"
    store.keys.signing_seed()  # raises unless it belongs to the public key
    named = b""
    with suppress(VerificationError):  # a malformed one is named by the next check
        named = parse_checkpoint(note, None).fingerprint_key
    here = store.keys.fingerprint_digest()
    if named and not here:
        raise VerificationError("keys/fingerprint.key is missing")
    if named and named != here:
        raise build_fingerprint_key_error()
    return public.name


def _reject_extra_key_bytes(path: Path) -> None:
    """Reject extra bytes of a key file that its readers would ignore."""
    try:
        data = read_file(path)
    except FileNotFoundError:
        return
    if data.removesuffix(b"\n") != data.strip():
        raise VerificationError(f"keys/{path.name} contains extra bytes")
