"""Gateway records of a large store: decisions on the agents' tools, of the last days."""

import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from answerable.model.decision import DecisionReason
from answerable.model.ids import AgentId, build_event_id
from answerable.model.spool_record import SpoolRecord
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ship_spool
from tests.connectors.gateway.spool_files import (
    ACT,
    ALLOW,
    CALLER,
    DENY,
    NAME,
    closed,
    decided,
    opened,
    spelled,
    write,
)

AGENTS, EACH = 400, 20
_MINUTE = 60 * 10**9
_ASKED = replace(DENY, reason=DecisionReason.ASKED)
_EFFECTS = (ALLOW, ALLOW, ALLOW, ALLOW, DENY, _ASKED)


def write_decisions(store: Path, agents: list[AgentId], seed: int) -> None:
    """Ship decisions of a recorder into a store."""
    now = time.time_ns()
    records = list(generate_records(agents[:AGENTS], now, seed))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), spelled(records))
        with EvidenceStore.open(store, now=now, create=False) as opened_store:
            ship_spool(opened_store, Path(folder), now=now)
            opened_store.seal(now)


def generate_records(
    agents: list[AgentId], now: int, seed: int
) -> Iterator[SpoolRecord]:
    """Generate the records of one recorder, one decision every minute."""
    chance = random.Random(seed)
    count = len(agents) * EACH
    start = now - (count + 2) * _MINUTE
    yield msgspec.structs.replace(opened(), at=start)
    for number in range(2, count + 2):
        at = start + number * _MINUTE
        agent = agents[number % len(agents)]
        yield msgspec.structs.replace(
            decided(
                number,
                chance.choice(_EFFECTS),
                msgspec.structs.replace(
                    ACT,
                    server=f"server-{chance.randrange(300)}",
                    name=chance.choice(("read_file", "write_file", "send_mail")),
                    arguments=f"{number:064x}",
                ),
                replace(CALLER, agent=agent, run=f"run-{number // 50}"),
            ),
            at=at,
            id=build_event_id(at, "gateway", NAME, str(number).encode()).hex(),
        )
    yield msgspec.structs.replace(closed(count + 2), at=now - _MINUTE)
