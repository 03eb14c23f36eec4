"""Syncs in the store, before they belong to a snapshot."""

import msgspec

from answerable.model.sighting import Problem, Sync
from answerable.store.store import Store

COUNTED = ("agents", "tools", "credentials", "identities", "policies")


class StoredSync(msgspec.Struct, frozen=True):
    """One sync in the store.

    Attributes:
        source: As the snapshot names it.
        digest: SHA-256 of its object, hex.
        at: UTC nanoseconds.
        problems: What could not be read.
        collected: Words of coverage.
        not_collected: Words likewise.
        counts: Of `COUNTED`, in that order.
    """

    source: str
    digest: str
    at: int
    problems: tuple[Problem, ...]
    collected: tuple[str, ...]
    not_collected: tuple[str, ...]
    counts: tuple[int, ...]


def store_sync(store: Store, sync: Sync, now: int) -> StoredSync:
    """Store a sync; it belongs to no snapshot yet.

    Raises:
        EnvironmentRefused: The disk refuses.
    """
    digest = store.put_object("sync", msgspec.json.encode(sync), now)
    return StoredSync(
        sync.source,
        digest,
        sync.started_at,
        sync.problems,
        sync.collected,
        sync.not_collected,
        _counts(sync),
    )


def _counts(sync: Sync) -> tuple[int, ...]:
    facts = sync.facts
    return (
        len({agent.id for agent in facts.agents}),
        len(facts.tools),
        len({credential.id for credential in facts.credentials}),
        len({identity.id for identity in facts.identities}),
        len({policy.id for policy in facts.policies}),
    )
