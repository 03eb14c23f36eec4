"""Record of the last successful verifications, by mode; a cache with a MAC.

An incremental verification starts at the newest record. A changed or foreign record is
ignored, so that everything is verified again.
"""

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import make_store_folder, read_file, write_file

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

FULL, INCREMENTAL, SAMPLE = "full", "incremental", "sample"
# The last failed verification, until a full one succeeds; its size is 0.
FAILED = "failed"


class VerifiedState(msgspec.Struct, frozen=True):
    """State of the log at a successful verification.

    Attributes:
        at: UTC nanoseconds.
        size: Entries of the log.
        root: Root of the log, hex.
    """

    at: int
    size: int
    root: str


class _RecordFile(msgspec.Struct, frozen=True):
    """Content of the file: the encoded states and their MAC."""

    states: str
    mac: str


def load_verified_states(store: "EvidenceStore") -> dict[str, VerifiedState]:
    """Load the last successful verification of each mode, and the last failed one.

    Empty if unknown.
    """
    with suppress(
        FileNotFoundError, EnvironmentFailure, msgspec.MsgspecError, UnicodeDecodeError
    ):
        file = msgspec.json.decode(
            read_file(store.root / "derived" / "verified.json"), type=_RecordFile
        )
        if file.mac == _compute_mac(store, file.states):
            return msgspec.json.decode(file.states, type=dict[str, VerifiedState])
    return {}


def save_verified_state(
    store: "EvidenceStore", mode: str, state: VerifiedState
) -> None:
    """Save a verification; a disk error is ignored."""
    states = load_verified_states(store) | {mode: state}
    if mode == FULL:
        states.pop(FAILED, None)
    text = msgspec.json.encode(states).decode()
    path = store.root / "derived" / "verified.json"
    with suppress(EnvironmentFailure):  # verified again from the start
        make_store_folder(path.parent)
        data = msgspec.json.encode(_RecordFile(text, _compute_mac(store, text)))
        write_file(path, data + b"\n", sync=False)


def find_verified_prefix(store: "EvidenceStore") -> VerifiedState | None:
    """Return the newest record that covers every entry up to its size; None for none."""
    states = load_verified_states(store)
    found = [states[mode] for mode in (FULL, INCREMENTAL) if mode in states]
    return max(found, key=lambda each: each.size, default=None)


def _compute_mac(store: "EvidenceStore", text: str) -> str:
    """Compute the MAC of the record, keyed with the store's fingerprint key."""
    return store.fingerprint("verified " + hashlib.sha256(text.encode()).hexdigest())
