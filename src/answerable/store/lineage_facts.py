"""Read the facts for lineage chains from the events; cache the facts and chains.

Chains are derived and never sealed. They are cached in one file next to the store, with
a generation that identifies their input and a MAC. A file of another generation, a
damaged or a foreign file is derived again; deleting it is harmless.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import zstandard

from answerable.lineage.chain_stitching_types import (
    ChainTimeline,
    SignIn,
    SourcedChainKey,
)
from answerable.model.errors import EnvironmentFailure
from answerable.model.lineage import (
    ChainKey,
    CredentialIssuance,
    CredentialPresentation,
)
from answerable.store.cache_generation import (
    compute_chains_generation,
    compute_events_generation,
    get_erasures,
)
from answerable.store.credential_issuances import (
    BELIEVED,
    KEY_COLUMNS,
    decode_chain_key,
    drain_rows,
    read_credential_issuances,
)
from answerable.store.credential_joint_facts import (
    read_delegated_issuances,
    read_invocation_calls,
    read_presentations,
    read_token_id_issuances,
)
from answerable.store.durable_files import make_store_folder, read_file, write_file

if TYPE_CHECKING:
    from answerable.store.segment_scope import SegmentScope
    from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """Creation or deletion of an identity.

    Attributes:
        at: UTC nanoseconds.
        created: Identity, empty when deleted.
        deleted: Identity, empty when created.
        action: Called action.
        event: Hex event id.
        source: Log source.
    """

    at: int
    created: str
    deleted: str
    key: ChainKey
    action: str
    event: str
    source: str


@dataclass(frozen=True, slots=True)
class CredentialUse:
    """Observed use of a credential as an identity: first time, last time, count."""

    credential: str
    identity: str
    first: int
    last: int
    count: int
    source: str


@dataclass(frozen=True, slots=True)
class LineageFacts:
    """Distinct facts of all events that stitching and ownership need."""

    joints: tuple[SourcedChainKey, ...] = ()
    issuances: tuple[CredentialIssuance, ...] = ()
    sign_ins: tuple[SignIn, ...] = ()
    changes: tuple[IdentityChange, ...] = ()
    uses: tuple[CredentialUse, ...] = ()
    presentations: tuple[CredentialPresentation, ...] = ()


class _CacheFile(msgspec.Struct, frozen=True):
    """Content of the cache file; a command decodes the part that it needs."""

    generation: str
    facts: msgspec.Raw
    chains: msgspec.Raw
    stitched: str = ""


_Chains = tuple[ChainTimeline, ...]
_FILE_DECODER = msgspec.msgpack.Decoder(_CacheFile)
_FACTS_DECODER = msgspec.msgpack.Decoder(LineageFacts)
_CHAINS_DECODER: msgspec.msgpack.Decoder[_Chains | None] = msgspec.msgpack.Decoder(
    _Chains | None
)


class _LineageCache:
    """Cached facts and chains, each decoded on first use."""

    def __init__(self, file: _CacheFile) -> None:
        self.generation, self.stitched = file.generation, file.stitched
        self._file = file

    @cached_property
    def facts(self) -> LineageFacts | None:
        """Return the facts; None if they have another form."""
        with contextlib.suppress(msgspec.DecodeError):
            return _FACTS_DECODER.decode(self._file.facts)
        return None

    @cached_property
    def chains(self) -> _Chains | None:
        """Return the chains; None if there are none, or they have another form."""
        with contextlib.suppress(msgspec.DecodeError):
            return _CHAINS_DECODER.decode(self._file.chains)
        return None


def load_lineage_facts(store: "EvidenceStore") -> LineageFacts:
    """Load the facts of all events from the cache, or read them from the events."""
    generation = compute_events_generation(store)
    cached = _load_lineage_cache(store)
    if cached is not None and cached.generation == generation and cached.facts:
        return cached.facts
    facts = read_lineage_facts(store)
    _save_lineage_cache(store, generation, facts, None, "")
    return facts


def load_cached_chains(store: "EvidenceStore") -> _Chains | None:
    """Load the chains from the cache; None if it is out of date."""
    cached = _load_lineage_cache(store)
    if cached is None or cached.stitched != compute_chains_generation(store):
        return None
    return cached.chains


def save_chains_to_cache(
    store: "EvidenceStore",
    generations: tuple[str, str],
    facts: LineageFacts,
    chains: _Chains,
) -> None:
    """Save chains under the generations of their facts and of all their input.

    They are computed before the input is read: what is stored meanwhile changes them.
    """
    of_facts, of_chains = generations
    _save_lineage_cache(store, of_facts, facts, chains, of_chains)


def remove_outdated_cache(store: "EvidenceStore") -> None:
    """Remove the cache file if it is of other events."""
    cached = _load_lineage_cache(store)
    if cached is None or cached.generation != compute_events_generation(store):
        with contextlib.suppress(OSError):
            _get_cache_path(store).unlink()


def _get_cache_path(store: "EvidenceStore") -> Path:
    """Return the path of the lineage cache file."""
    return store.derived / "lineage.bin"


def _load_lineage_cache(store: "EvidenceStore") -> _LineageCache | None:
    """Read the cache file; None if it is missing or its MAC is wrong."""
    try:
        data = read_file(_get_cache_path(store))
        seal, body = data[:24], data[24:]
        if seal.decode("ascii", "replace") != _compute_cache_mac(store, body):
            return None
        return _decode_lineage_cache(body)
    except (FileNotFoundError, EnvironmentFailure, zstandard.ZstdError):
        return None
    except msgspec.DecodeError:
        return None


@lru_cache(maxsize=1)
def _decode_lineage_cache(body: bytes) -> _LineageCache:
    """Decode a cache file; the last result is memoized."""
    data = zstandard.ZstdDecompressor().decompress(body)
    return _LineageCache(_FILE_DECODER.decode(data))


def _save_lineage_cache(
    store: "EvidenceStore",
    generation: str,
    facts: LineageFacts,
    chains: _Chains | None,
    stitched: str,
) -> None:
    """Write the cache file; a disk error is ignored."""
    from answerable.store.erasure_guard import put_derived_file  # most write none

    encode = msgspec.msgpack.encode
    file = _CacheFile(
        generation, msgspec.Raw(encode(facts)), msgspec.Raw(encode(chains)), stitched
    )
    body = zstandard.ZstdCompressor(level=1).compress(encode(file))
    path = _get_cache_path(store)
    with contextlib.suppress(EnvironmentFailure):  # not kept: derived again
        make_store_folder(path.parent)
        data = _compute_cache_mac(store, body).encode() + body
        with put_derived_file(store.layout, store.log, get_erasures(generation)):
            write_file(path, data, sync=False)


def _compute_cache_mac(store: "EvidenceStore", body: bytes) -> str:
    """Compute the MAC of the cache file, keyed with the store's fingerprint key."""
    return store.fingerprint("lineage " + hashlib.sha256(body).hexdigest())


def read_lineage_facts(store: "EvidenceStore") -> LineageFacts:
    """Read all facts that chains need from the events."""
    sources = store.queries.get_current_sources()
    if not (sources.segments or sources.journals or sources.foreign):
        return LineageFacts()  # without starting the query engine
    return LineageFacts(
        issuances=(
            *read_credential_issuances(store),
            *read_delegated_issuances(store),
            *read_token_id_issuances(store),
        ),
        changes=tuple(read_identity_changes(store)),
        uses=tuple(read_access_key_uses(store)),
        joints=tuple(_read_chain_keys(store)),
        presentations=(*read_presentations(store), *read_invocation_calls(store)),
        sign_ins=tuple(read_sign_ins(store)),
    )


def _build_change_scope() -> "SegmentScope":
    """Build the scope of the segments with a created or deleted identity."""
    from answerable.store.segment_scope import ANY_TEXT, SegmentScope

    return SegmentScope(alternatives=({"created": ANY_TEXT}, {"deleted": ANY_TEXT}))


def _build_kind_scope(kind: str) -> "SegmentScope":
    """Build the scope of the segments with events of a kind."""
    from answerable.store.segment_scope import build_kind_scope  # not for cached facts

    return build_kind_scope(kind)


def _as_int(value: object) -> int:
    """Narrow an SQL value to `int` for the type checker."""
    return cast("int", value)


def _read_chain_keys(store: "EvidenceStore") -> Iterable[SourcedChainKey]:
    """Read the distinct chain keys of all events."""
    query = (
        f"SELECT DISTINCT source, written_by, {KEY_COLUMNS} FROM skimmed ORDER BY ALL"  # noqa: S608 - ours
    )
    for source, written_by, *key in drain_rows(store.run_query(query)):
        yield SourcedChainKey(
            decode_chain_key(key), str(source), written_by != "self-reported"
        )


def read_sign_ins(store: "EvidenceStore") -> Iterable[SignIn]:
    """Read sign-ins of persons, and console sessions with the user's name."""
    query = (
        "SELECT min(event_time), who, own, cred, "  # noqa: S608 - ours
        "min_by(lower(hex(event_id)), (event_time, event_id)), source FROM ("
        "SELECT event_time, event_id, source, credential AS cred, "
        "if(contains(identity, ':user/'), identity, '') AS own, "
        "if(person <> '', person, 'person:' || lower(split_part(identity, '/', -1))) "
        "AS who FROM events "
        f"WHERE {BELIEVED} AND agent = '' AND (person <> '' OR (contains(identity, ':user/') "
        "AND list_contains(facts, ['console', 'true'])))"
        ") GROUP BY who, own, cred, source ORDER BY ALL"
    )
    rows = store.run_query(query, scope=_build_kind_scope("sign-in"))
    for at, person, own, credential, event, source in rows:
        yield SignIn(
            _as_int(at), str(person), str(own), str(credential), str(event), str(source)
        )


def read_identity_changes(store: "EvidenceStore") -> Iterable[IdentityChange]:
    """Read the events that created or deleted an identity."""
    query = (
        "SELECT event_time, created, deleted, action, lower(hex(event_id)), source, "  # noqa: S608 - ours
        f"{KEY_COLUMNS} FROM events "
        f"WHERE (created <> '' OR deleted <> '') AND outcome = 'success' "
        f"AND {BELIEVED} ORDER BY event_time, event_id"
    )
    rows = store.run_query(query, scope=_build_change_scope())
    for at, created, deleted, action, event, source, *key in rows:
        yield IdentityChange(
            at=_as_int(at),
            created=str(created),
            deleted=str(deleted),
            key=decode_chain_key(key),
            action=str(action),
            event=str(event),
            source=str(source),
        )


def read_access_key_uses(store: "EvidenceStore") -> Iterable[CredentialUse]:
    """Read the uses of long-lived access keys; issuances cover sessions."""
    query = (
        "SELECT credential, identity, min(event_time), max(event_time), count(*), "  # noqa: S608 - ours
        "source FROM skimmed WHERE starts_with(credential, 'cred:aws/AKIA') "
        f"AND identity <> '' AND {BELIEVED} GROUP BY ALL ORDER BY ALL"
    )
    rows = store.run_query(query, scope=_build_kind_scope("access-key"))
    return map(decode_credential_use, rows)


def decode_credential_use(row: Sequence[object]) -> CredentialUse:
    """Decode a row of the use of a credential."""
    credential, identity, first, last, count, source = row
    return CredentialUse(
        str(credential),
        str(identity),
        _as_int(first),
        _as_int(last),
        _as_int(count),
        str(source),
    )
