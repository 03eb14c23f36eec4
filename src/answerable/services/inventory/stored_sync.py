"""Store the result of one connector run (a sync) before a snapshot includes it."""

import itertools
from collections.abc import Iterator
from dataclasses import fields

import msgspec

from answerable.model.errors import AnswerableError
from answerable.model.sighting import ReadProblem, SightedFacts, Sync
from answerable.store.difference_encoder import EarlierObject
from answerable.store.store import EvidenceStore

COUNTED_KINDS = ("agents", "tools", "credentials", "identities", "policies")


class _SyncStart(msgspec.Struct):
    """Start of a sync, UTC nanoseconds; each fact of a sync repeats it."""

    started_at: int


# Facts follow the start of a sync; in a text, the quotation marks would be escaped.
_FACTS = b',"facts":'
_ENTITIES_PER_PART = 200
_START = msgspec.json.Decoder(_SyncStart)


class StoredSync(msgspec.Struct, frozen=True):
    """One sync in the store.

    Attributes:
        source: Name of the source in the snapshot.
        digest: SHA-256 of its object, hex.
        at: UTC nanoseconds.
        problems: Parts that could not be read.
        not_collected: Words of coverage.
        counts: Counts of `COUNTED_KINDS`, in that order.
    """

    source: str
    digest: str
    at: int
    problems: tuple[ReadProblem, ...]
    collected: tuple[str, ...]
    not_collected: tuple[str, ...]
    counts: tuple[int, ...]


def store_sync(store: EvidenceStore, sync: Sync, now: int) -> StoredSync:
    """Store the result of one connector run; no snapshot includes it yet.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    earlier = _find_earlier_sync(store, sync)
    digest = store.put_object("sync", encode_sync(sync), now, earlier)
    return StoredSync(
        source=sync.source,
        digest=digest,
        at=sync.started_at,
        problems=sync.problems,
        collected=sync.collected,
        not_collected=sync.not_collected,
        counts=_count_synced_entities(sync),
    )


def encode_sync(sync: Sync) -> Iterator[bytes]:
    """Yield the JSON of a sync in parts, so that it is never in memory as a whole."""
    lead = b"{"
    for each in fields(sync):
        yield lead + msgspec.json.encode(each.name) + b":"
        value = getattr(sync, each.name)
        if value is sync.facts:
            yield from _encode_facts(sync.facts)
        else:
            yield msgspec.json.encode(value)
        lead = b","
    yield b"}"


def _encode_facts(facts: SightedFacts) -> Iterator[bytes]:
    """Yield the JSON of facts, a number of entities at a time."""
    lead = b"{"
    for kind in fields(facts):
        yield lead + msgspec.json.encode(kind.name) + b":["
        rows = getattr(facts, kind.name)
        for at in range(0, len(rows), _ENTITIES_PER_PART):
            part = msgspec.json.encode(rows[at : at + _ENTITIES_PER_PART])
            yield (b"," if at else b"") + part[1:-1]
        yield b"]"
        lead = b","
    yield b"}"


def _find_earlier_sync(store: EvidenceStore, sync: Sync) -> EarlierObject | None:
    """Find the sync of the latest snapshot from which a sync of its source differs."""
    from answerable.services.inventory.snapshots import load_latest_snapshot

    try:
        latest = load_latest_snapshot(store)
        digest = dict(latest.syncs).get(sync.source, "") if latest is not None else ""
        if not digest:
            return None
        base, content = store.read_whole_base(digest)
        first = b""
        for part in content:  # what was compressed together comes together
            first += part
            if _FACTS in first:
                break
        head, _, _ = first.partition(_FACTS)
        old = _START.decode(head + b"}").started_at
    except (AnswerableError, ValueError):
        return None  # it is damaged or erased; the new one is stored whole
    parts = itertools.chain((first,), content)
    return EarlierObject(base, parts, str(old), str(sync.started_at))


def _count_synced_entities(sync: Sync) -> tuple[int, ...]:
    """Count agents, tools, credentials, identities and policies of a sync."""
    facts = sync.facts
    return (
        len({agent.id for agent in facts.agents}),
        len(facts.tools),
        len({credential.id for credential in facts.credentials}),
        len({identity.id for identity in facts.identities}),
        len({policy.id for policy in facts.policies}),
    )
