"""Facts that the files of chains were derived from, in a file with a MAC."""

import contextlib
import hashlib
from typing import TYPE_CHECKING

import msgspec
import zstandard

from answerable.lineage.chain_stitching_types import SignIn
from answerable.model.errors import EnvironmentFailure
from answerable.model.lineage import CredentialIssuance, CredentialPresentation
from answerable.store.cache_generation import DERIVATION_VERSION
from answerable.store.chain_file import CHAIN_FILE_VERSION
from answerable.store.durable_files import read_file, write_file

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_FILE = "chains.inputs"
_MAC_BYTES = 24


class ChainInputs(msgspec.Struct, frozen=True):
    """Facts that the chains of a chain file were derived from.

    Attributes:
        statements: Digest of what is stated on each owned or used subject.
        key_files: Names of the files of chain keys.
        issuance_files: Names of the files of issuances.
        delegations: Issuances that other records than those of issuances tell.
        sign_ins: Sign-ins of persons.
        presentations: Calls in which a credential was presented.
        version: Version of the derivation.
    """

    statements: dict[str, bytes]
    key_files: tuple[str, ...]
    issuance_files: tuple[str, ...]
    delegations: tuple[CredentialIssuance, ...]
    sign_ins: tuple[SignIn, ...]
    presentations: tuple[CredentialPresentation, ...]
    version: int = DERIVATION_VERSION


def load_chain_inputs(store: "EvidenceStore", chains: str) -> ChainInputs | None:
    """Load the facts that chains were derived from; None if they are not known.

    Args:
        store: The store.
        chains: Names of the files of the chains.
    """
    with contextlib.suppress(
        OSError, EnvironmentFailure, zstandard.ZstdError, msgspec.MsgspecError
    ):
        data = read_file(store.derived / _FILE)
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if mac == _compute_mac(store, chains, body):
            plain = zstandard.ZstdDecompressor().decompress(body)
            found = msgspec.msgpack.decode(plain, type=ChainInputs)
            return found if found.version == DERIVATION_VERSION else None
    return None


def save_chain_inputs(store: "EvidenceStore", chains: str, inputs: ChainInputs) -> None:
    """Save the facts that chains were derived from.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    body = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(inputs))
    mac = _compute_mac(store, chains, body)
    write_file(store.derived / _FILE, mac + body, sync=False)


def _compute_mac(store: "EvidenceStore", chains: str, body: bytes) -> bytes:
    """Compute the MAC of the facts and of their chains, keyed by the store."""
    digest = hashlib.sha256(chains.encode() + b"\n" + body).hexdigest()
    named = f"chain inputs {CHAIN_FILE_VERSION} {digest}"
    return store.fingerprint(named).encode()
