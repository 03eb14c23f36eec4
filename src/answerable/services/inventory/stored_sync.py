"""Store the result of one connector run (a sync) before a snapshot includes it."""

import msgspec

from answerable.model.errors import AnswerableError
from answerable.model.sighting import ReadProblem, Sync
from answerable.store.object_difference import EarlierObject
from answerable.store.store import EvidenceStore

COUNTED_KINDS = ("agents", "tools", "credentials", "identities", "policies")


class _SyncStart(msgspec.Struct):
    """Start of a sync, UTC nanoseconds; each fact of a sync repeats it."""

    started_at: int


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
    data = msgspec.json.encode(sync)
    digest = store.put_object("sync", data, now, _find_earlier_sync(store, sync))
    return StoredSync(
        source=sync.source,
        digest=digest,
        at=sync.started_at,
        problems=sync.problems,
        collected=sync.collected,
        not_collected=sync.not_collected,
        counts=_count_synced_entities(sync),
    )


def _find_earlier_sync(store: EvidenceStore, sync: Sync) -> EarlierObject | None:
    """Find the sync of the latest snapshot from which a sync of its source differs."""
    from answerable.services.inventory.snapshots import load_latest_snapshot

    try:
        latest = load_latest_snapshot(store)
        digest = dict(latest.syncs).get(sync.source, "") if latest is not None else ""
        if not digest:
            return None
        base, content = store.read_whole_base(digest)
        old = _START.decode(content).started_at
    except (AnswerableError, msgspec.DecodeError):
        return None  # it is damaged or erased; the new one is stored whole
    return EarlierObject(base, content, str(old), str(sync.started_at))


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
