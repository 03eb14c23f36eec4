"""Lineage facts of events (joints, issuances, changes), and the cache of chains.

Chains are derived and never sealed. They are cached in one file next to the store, with
a generation that identifies their input and a MAC. A file of another generation, a
damaged or a foreign file is derived again; deleting it is harmless.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import zstandard

from answerable.evidence.log_entries import Manifest
from answerable.lineage.stitch_inputs import Joint, JointChains, SignIn
from answerable.model.errors import EnvironmentRefused
from answerable.model.event_sources import STS
from answerable.model.lineage import ChainKey, Issuance
from answerable.store import journal_files
from answerable.store.durable_files import make_folder, read_file, write_file

if TYPE_CHECKING:
    from answerable.store.store import Store

# Raised when the same facts would be stitched differently.
DERIVATION = 5
# Objects with ownership data: snapshots, and statements that persons make and sign.
_OWNERSHIP = (
    *("snapshot", "attestation"),
    *("owner-key", "owner-key-revoked", "signed-attestation"),
)
_KEYS = "identity, credential, session, person, run, agent, tool"
# Facts that our own token service writes; of another source they are its own words.
_CHAIN, _OWNER = (
    f"if(source = '{STS}', coalesce(list_filter(facts, lambda f: f[1] = '{name}')[1][2], "
    "''), '')"
    for name in ("chain", "owner")
)
_BELIEVED = "written_by <> 'self-reported'"


@dataclass(frozen=True, slots=True)
class Change:
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
class Use:
    """Observed use of a credential as an identity: first time, last time, count."""

    credential: str
    identity: str
    first: int
    last: int
    count: int
    source: str


@dataclass(frozen=True, slots=True)
class TrailFacts:
    """Distinct facts of all events that stitching and ownership need."""

    joints: tuple[Joint, ...] = ()
    issuances: tuple[Issuance, ...] = ()
    sign_ins: tuple[SignIn, ...] = ()
    changes: tuple[Change, ...] = ()
    uses: tuple[Use, ...] = ()


class _Cached(msgspec.Struct, frozen=True):
    generation: str
    facts: TrailFacts
    chains: tuple[JointChains, ...] | None = None
    stitched: str = ""


_CACHED = msgspec.msgpack.Decoder(_Cached)


def facts_generation(store: "Store") -> str:
    """Return the generation of the events behind the facts."""
    tails = []
    for name in journal_files.names(store.layout):
        try:
            tails.append(f"{name}:{store.layout.journal_file(name).stat().st_size}")
        except FileNotFoundError:
            continue
    segments = [e.segment for e in store.log.entries() if isinstance(e, Manifest)]
    named = "\n".join([str(DERIVATION), *tails, *segments])
    return hashlib.sha256(named.encode()).hexdigest()


def chains_generation(store: "Store") -> str:
    """Return the generation of the events, snapshots and statements behind chains."""
    said = [o.digest for kind in _OWNERSHIP for o in store.objects(kind)]
    named = "\n".join([facts_generation(store), *said])
    return hashlib.sha256(named.encode()).hexdigest()


def load_facts(store: "Store") -> TrailFacts:
    """Load the facts of all events, from the cache if current."""
    generation = facts_generation(store)
    cached = _load(store)
    if cached is not None and cached.generation == generation:
        return cached.facts
    facts = read_facts(store)
    _save(store, _Cached(generation, facts))
    return facts


def load_chains(store: "Store") -> tuple[JointChains, ...] | None:
    """Load the chains if the cache is current, else None."""
    cached = _load(store)
    if cached is None or cached.chains is None:
        return None
    return cached.chains if cached.stitched == chains_generation(store) else None


def save_chains(
    store: "Store", facts: TrailFacts, chains: tuple[JointChains, ...]
) -> None:
    """Save chains under the generation of their input."""
    _save(
        store, _Cached(facts_generation(store), facts, chains, chains_generation(store))
    )


def _file(store: "Store") -> Path:
    return store.root / "derived" / "lineage.bin"


def _load(store: "Store") -> _Cached | None:
    try:
        data = read_file(_file(store))
        seal, body = data[:24], data[24:]
        if seal.decode("ascii", "replace") != _seal(store, body):
            return None
        return _decoded(body)
    except (FileNotFoundError, EnvironmentRefused, zstandard.ZstdError):
        return None
    except msgspec.DecodeError:
        return None


@lru_cache(maxsize=1)
def _decoded(body: bytes) -> _Cached:
    """Decode the last file once for repeated reads."""
    return _CACHED.decode(zstandard.ZstdDecompressor().decompress(body))


def _save(store: "Store", cached: _Cached) -> None:
    body = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(cached))
    path = _file(store)
    with contextlib.suppress(EnvironmentRefused):  # not kept: derived again
        make_folder(path.parent)
        write_file(path, _seal(store, body).encode() + body, sync=False)


def _seal(store: "Store", body: bytes) -> str:
    return store.fingerprint("lineage " + hashlib.sha256(body).hexdigest())


def read_facts(store: "Store") -> TrailFacts:
    """Read the facts from the events."""
    return TrailFacts(
        joints=tuple(_joints(store)),
        issuances=tuple(_issuances(store)),
        sign_ins=tuple(_sign_ins(store)),
        changes=tuple(_changes(store)),
        uses=tuple(_uses(store)),
    )


def _key(row: Sequence[object]) -> ChainKey:
    return ChainKey(*map(str, row))


def _number(value: object) -> int:
    return cast("int", value)


def _joints(store: "Store") -> Iterable[Joint]:
    query = f"SELECT DISTINCT source, written_by, {_KEYS} FROM skimmed ORDER BY ALL"  # noqa: S608 - ours
    for source, written_by, *key in store.rows(query):
        yield Joint(_key(key), str(source), written_by != "self-reported")


def _issuances(store: "Store") -> Iterable[Issuance]:
    query = (
        "SELECT event_time, issued, issued_to, issued_until, lower(hex(event_id)), "  # noqa: S608 - ours
        f"source, {_CHAIN}, {_OWNER}, {_KEYS} FROM events "
        f"WHERE issued <> '' AND outcome = 'success' AND {_BELIEVED} "
        "ORDER BY event_time, event_id"
    )
    for at, issued, to, until, event, source, chain, owner, *key in store.rows(query):
        yield Issuance(
            _number(at),
            str(issued),
            str(to),
            _number(until),
            _key(key),
            str(event),
            str(source),
            tuple(str(chain).split()),
            str(owner),
        )


def _sign_ins(store: "Store") -> Iterable[SignIn]:
    """Read sign-ins of persons and console sessions, which carry the user's name."""
    query = (
        "SELECT min(event_time), who, own, cred, "  # noqa: S608 - ours
        "min_by(lower(hex(event_id)), (event_time, event_id)), source FROM ("
        "SELECT event_time, event_id, source, credential AS cred, "
        "if(contains(identity, ':user/'), identity, '') AS own, "
        "if(person <> '', person, 'person:' || lower(split_part(identity, '/', -1))) "
        "AS who FROM events "
        f"WHERE {_BELIEVED} AND agent = '' AND (person <> '' OR (contains(identity, ':user/') "
        "AND list_contains(facts, ['console', 'true'])))"
        ") GROUP BY who, own, cred, source ORDER BY ALL"
    )
    for at, person, own, credential, event, source in store.rows(query):
        yield SignIn(
            _number(at), str(person), str(own), str(credential), str(event), str(source)
        )


def _changes(store: "Store") -> Iterable[Change]:
    query = (
        "SELECT event_time, created, deleted, action, lower(hex(event_id)), source, "  # noqa: S608 - ours
        f"{_KEYS} FROM events "
        f"WHERE (created <> '' OR deleted <> '') AND outcome = 'success' "
        f"AND {_BELIEVED} ORDER BY event_time, event_id"
    )
    for at, created, deleted, action, event, source, *key in store.rows(query):
        yield Change(
            _number(at),
            str(created),
            str(deleted),
            _key(key),
            str(action),
            str(event),
            str(source),
        )


def _uses(store: "Store") -> Iterable[Use]:
    """Read uses of long-lived keys only: issuances cover sessions."""
    query = (
        "SELECT credential, identity, min(event_time), max(event_time), count(*), "  # noqa: S608 - ours
        "source FROM skimmed WHERE starts_with(credential, 'cred:aws/AKIA') "
        f"AND identity <> '' AND {_BELIEVED} GROUP BY ALL ORDER BY ALL"
    )
    for credential, identity, first, last, count, source in store.rows(query):
        yield Use(
            str(credential),
            str(identity),
            _number(first),
            _number(last),
            _number(count),
            str(source),
        )
