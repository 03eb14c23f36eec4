"""Judge the logged uses of keys that a gateway holds (`protect status`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.lineage.gateway_mediation import UNMEDIATED, MediationVerdict
from answerable.model.ids import AgentId, build_mcp_tool_id
from answerable.model.inventory import Inventory
from answerable.model.lineage import Hop, HopStatus
from answerable.services.lineage.mediation_verdicts import (
    StoredGatewayCalls,
    load_gateway_calls,
    match_events_to_gateway_calls,
    select_platform_chains,
)
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class HeldKey:
    """Key that a gateway holds for one server of one declared agent.

    Attributes:
        credential: `cred:aws/AKIA...`.
        since: Time since which only the gateway holds it, UTC nanoseconds.
    """

    credential: str
    agent: AgentId
    server: str
    since: int


@dataclass(frozen=True, slots=True)
class KeyUse:
    """Logged uses of a held key.

    Attributes:
        events: Events of platforms with this key.
        unmediated: Of these, events that no gateway call explains.
        unknown: Of these, events of which that is not known.
    """

    key: HeldKey
    events: int
    unmediated: int
    unknown: int


def judge_held_keys(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    keys: Sequence[HeldKey],
    *,
    since: int,
    until: int,
) -> list[KeyUse]:
    """Judge the logged uses of keys that only a gateway holds, as `--unmediated` does.

    Args:
        store: The store.
        inventory: Its inventory.
        chains: Its chains.
        keys: Keys with their holders, which replace the agents of the chains.
        since: UTC nanoseconds, inclusive; earlier uses of a key are not judged either.
        until: Time until which the store has every record of the keys' wrappers, UTC
            nanoseconds; 0 where records wait elsewhere. No wrapper means no call then.
    """
    if not keys:
        return []
    found = load_gateway_calls(store, inventory, chains, 0)
    uses = []
    for key in keys:
        begin = max(since, key.since)
        spans = ((begin, until),) if until > begin else ()
        records = replace(
            found.records,
            covered=found.records.covered | {key.agent},
            spans=(*found.records.spans, *spans),
        )
        gateways = replace(found, records=records)
        uses.append(_judge_held_key(store, inventory, chains, key, gateways, begin))
    return uses


def _judge_held_key(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    key: HeldKey,
    gateways: StoredGatewayCalls,
    since: int,
) -> KeyUse:
    """Judge the logged uses of one key."""
    tool = Hop(build_mcp_tool_id(key.server), HopStatus.DECLARED, "config")
    found = [
        (joint, replace(chain, agent_path=(key.agent,), tool=tool))
        for joint, chain in select_platform_chains(inventory, chains, TraceQuery())
        if key.credential in chain.credential_path
    ]
    query = TraceQuery(since=since)
    counts = match_events_to_gateway_calls(store, query, found, gateways).counts
    unmediated = sum(counts[each] for each in UNMEDIATED)
    unknown = counts.total() - unmediated - counts[MediationVerdict.MEDIATED]
    return KeyUse(key, counts.total(), unmediated, unknown)
