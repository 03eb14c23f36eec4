"""Record the agents that a configuration declares, without a scan.

Each part that applies a configuration (`serve`, `gateway stdio`, `protect`) records its
agents and owners as the sync of `config:FILE`, as `scan config:FILE` does.
"""

from answerable.connectors.config.fetch import build_config_sync
from answerable.model.config import Config
from answerable.model.sighting import Sync
from answerable.services.inventory.snapshots import (
    load_latest_snapshot,
    read_stored_object,
    store_snapshot,
)
from answerable.services.inventory.stored_sync import store_sync
from answerable.store.store import EvidenceStore

MAX_AGE = 24 * 3600 * 10**9  # ns; an older sync is stored again, so that it is not late


def record_declared_agents(
    store: EvidenceStore, config: Config, *, read_at: int, now: int
) -> str:
    """Record the agents of a configuration, unless the newest snapshot has them.

    Args:
        store: The store.
        config: Configuration that is applied.
        read_at: Time at which it was read, UTC nanoseconds. The snapshot has this time,
            so that calls since then have the declared owner.
        now: UTC nanoseconds.

    Returns:
        Name of the new snapshot; empty if nothing changed.

    Raises:
        EnvironmentFailure: The store cannot be written.
        VerificationError: The newest snapshot was altered.
    """
    if not config.agents:
        return ""
    latest = load_latest_snapshot(store)
    at = read_at if latest is None or latest.taken_at < read_at else now
    source = build_config_sync(config, store.fingerprint, at).source
    digest = dict(latest.syncs).get(source, "") if latest is not None else ""
    if digest:
        known = read_stored_object(store, digest, Sync)
        same = build_config_sync(config, store.fingerprint, known.started_at)
        if same == known and now - known.started_at < MAX_AGE:
            return ""
    sync = store_sync(store, build_config_sync(config, store.fingerprint, at), at)
    return store_snapshot(store, [sync], at)
