"""Create and read a store's keys: one signs the log, one fingerprints secrets.

The checkpoint that the first one signs is parsed here.
"""

import hashlib
import hmac
import os
from pathlib import Path
from threading import get_native_id

from answerable.evidence.checkpoint import (
    Checkpoint,
    fingerprint_key_digest,
    parse_checkpoint,
)
from answerable.evidence.signed_note import (
    VerifierKey,
    derive_verifier_key,
    sign_bytes,
    verify_bytes,
)
from answerable.model.errors import EnvironmentFailure, UsageError, VerificationError
from answerable.store.durable_files import (
    FILE_MODE,
    read_file,
    sync_folder,
    write_file,
)
from answerable.store.store_layout import StoreLayout, refuse_access_by_others

_KEY_BYTES = 32
_FINGERPRINT_HEX = 24
_FINGERPRINT_KEY = "fingerprint.key"
_RESTORE_KEY = "restore it from a backup with keys; change nothing else in the store"


def _build_missing_key_error(layout: StoreLayout, path: Path) -> EnvironmentFailure:
    """Build the error for a missing key file."""
    return EnvironmentFailure(
        f"{path} is missing: this store was created with it",
        "restore it from a backup; sealed events can be verified without it"
        if layout.remote is None
        else "copy the folder keys from the machine that created the store",
    )


def _create_file_once(path: Path, data: bytes) -> None:
    """Create a file unless it exists, atomically.

    With rename() the last of several processes would win; link() lets the first win.
    """
    fresh = path.with_name(f".{path.name}.{get_native_id()}.made")
    write_file(fresh, data)
    try:
        os.link(fresh, path)
        sync_folder(path.parent)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


class LogKeys:
    """Signing key of the log, and the fingerprint key."""

    def __init__(self, layout: StoreLayout) -> None:
        self._layout = layout
        self._fingerprint: bytes | None = None
        self._seed: bytes | None = None
        self._public: VerifierKey | None = None

    def fingerprint(self, value: str) -> str:
        """Compute the keyed hash of a secret value: 24 hex digits."""
        if self._fingerprint is None:
            self._public = self.public_key
            self._fingerprint = self._read_secret_key(_FINGERPRINT_KEY)
        data = value.encode("utf-8", "surrogatepass")
        digest = hmac.new(self._fingerprint, data, hashlib.sha256)
        return digest.hexdigest()[:_FINGERPRINT_HEX]

    @property
    def public_key(self) -> VerifierKey:
        """Public key that verifies this store's checkpoints and journals.

        Raises:
            EnvironmentFailure: The key is not readable.
            VerificationError: It is damaged.
        """
        if self._public is None:
            path = self._layout.keys / "log.pub"
            try:
                self._public = VerifierKey.parse(read_file(path).decode("utf-8"))
            except FileNotFoundError:
                self._public = self._join_log() or self._create_keys()
            except (UnicodeDecodeError, UsageError):
                raise VerificationError(
                    "keys/log.pub is damaged (expected NAME+HASH+BASE64)",
                    "restore keys/log.pub from a backup, or from where you published "
                    "it; change nothing else in the store",
                ) from None
        return self._public

    def may_create_log(self) -> bool:
        """Return whether the log in object storage can be one that does not exist yet.

        True if the bucket has no key either, or this machine began to create the log:
        its public key is written last.
        """
        if (self._layout.keys / "log.pub").exists() or self._layout.remote is None:
            return False
        own = (self._layout.keys / "log.key").exists()
        return own or not self._layout.remote.log.read_public_key()

    def fingerprint_digest(self) -> bytes:
        """Return the digest of the fingerprint key, empty if missing."""
        if not (self._layout.keys / _FINGERPRINT_KEY).exists():
            return b""
        return fingerprint_key_digest(self._read_secret_key(_FINGERPRINT_KEY))

    def signing_seed(self) -> bytes:
        """Return the private signing seed; creates the key pair if missing.

        Raises:
            VerificationError: It is damaged, or belongs to another public key.
        """
        if self._seed is None:
            public = self._public = self.public_key
            seed = self._read_secret_key("log.key")
            if derive_verifier_key(public.name, seed) != public:
                raise VerificationError(
                    "keys/log.key and keys/log.pub are not a key pair", _RESTORE_KEY
                )
            self._seed = seed
        return self._seed

    def sign(self, data: bytes) -> bytes:
        """Sign bytes with the log key (Ed25519)."""
        return sign_bytes(self.signing_seed(), data)

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Return whether a signature is by this store's log key."""
        return verify_bytes(self.public_key, signature, data)

    def _join_log(self) -> VerifierKey | None:
        """Take the public key of the log in object storage; None if there is none.

        Raises:
            UsageError: The signing key here belongs to another log.
        """
        if self._layout.remote is None:
            return None
        from answerable.store.remote_log import parse_public_key

        remote = self._layout.remote.log
        text = remote.read_public_key()
        if not text:
            return None
        own = (self._layout.keys / "log.key").exists()
        head = remote.read_head()
        if head is None:
            remote.refuse_lost_checkpoint(may_create=own)
            return None  # created in part: creating it is repeated
        public = parse_public_key(text, remote.location)
        remote.parse_head(head.note, public)
        if own:
            seed = self._read_secret_key("log.key")
            raw = derive_verifier_key("answerable", seed).raw
            remote.check_public_key(f"{VerifierKey(public.name, raw)}\n".encode())
        write_file(self._layout.keys / "log.pub", f"{public}\n".encode())
        return public

    def _create_keys(self) -> VerifierKey:
        """Create all keys and an empty checkpoint; the public key is written last."""
        from answerable.evidence.merkle import EMPTY_ROOT

        # The public key is written last: where it lies, all keys were made, and the
        # log has a checkpoint. A store that was emptied to its keys shows by that.
        self._create_secret_key(_FINGERPRINT_KEY)
        self._create_secret_key("log.key")
        seed = self._read_secret_key("log.key")
        # The log's name is its own: two stores never share an origin.
        raw = derive_verifier_key("answerable", seed).raw
        name = f"answerable.local/{hashlib.sha256(raw).hexdigest()[:16]}"
        public = VerifierKey(name, raw)
        empty = Checkpoint(name, 0, EMPTY_ROOT, self.fingerprint_digest())
        note = empty.sign(public, seed)
        if self._layout.remote is not None:
            self._layout.remote.log.create(f"{public}\n".encode(), note)
        _create_file_once(self._layout.log / "checkpoint", note)
        write_file(self._layout.keys / "log.pub", f"{public}\n".encode())
        return public

    def _create_secret_key(self, name: str) -> None:
        """Create a missing secret key, unless this store was signed before.

        A new key next to old evidence would silently invalidate it.
        """
        path = self._layout.keys / name
        if path.exists():
            return
        if (self._layout.log / "checkpoint").exists():
            raise _build_missing_key_error(self._layout, path)
        _create_file_once(path, os.urandom(_KEY_BYTES).hex().encode() + b"\n")

    def _read_secret_key(self, name: str) -> bytes:
        """Read a secret key file; refuse one that others may read.

        Raises:
            EnvironmentFailure: It is missing, or others may read it.
            VerificationError: It is damaged.
        """
        path = self._layout.keys / name
        try:
            refuse_access_by_others(self._layout, path, FILE_MODE)
        except FileNotFoundError:
            raise _build_missing_key_error(self._layout, path) from None
        try:
            data = bytes.fromhex(read_file(path).decode("ascii").strip())
        except ValueError:
            data = b""
        if len(data) != _KEY_BYTES:
            raise VerificationError(
                f"keys/{name} is damaged (expected {2 * _KEY_BYTES} hex digits)",
                _RESTORE_KEY,
            )
        return data


def parse_own_checkpoint(note: bytes, key: VerifierKey | None) -> Checkpoint:
    """Parse the checkpoint of the log folder; see `parse_checkpoint`.

    Raises:
        VerificationError: It is malformed, or not signed by the key.
    """
    try:
        return parse_checkpoint(note, key)
    except VerificationError as error:
        raise VerificationError(
            f"log/checkpoint: {error.message}",
            "keep the damaged file; restore log/checkpoint as it was after the last "
            "change, or the store from a backup: answerable restore",
        ) from None
