"""A store in which people answer for agents, a desk on it at which time stands still."""

from dataclasses import replace

from msgspec import structs

from answerable.model.decision import DecisionReason
from answerable.model.ids import PersonId, build_event_id
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.connectors.gateway.spool_files import (
    ACT,
    CALLER,
    DENY,
    NAME,
    closed,
    decided,
    opened,
    spelled,
    write,
)
from tests.inventory.fact_builders import NOW
from tests.usecases.owned_store import AGENT, ANA, BEN, HOUR

LATER = NOW + HOUR


class FrozenStoreCache(StoreCache):
    """A desk at which it is always the same time."""

    at = LATER

    @property
    def now(self) -> int:
        return self.at


def owner(person: PersonId = ANA, *owns: str, fresh: bool = True) -> Visitor:
    roles = frozenset({WebRole.OWNER})
    return Visitor(person, roles, frozenset(owns), "c", fresh=fresh, by="corp")


OWNER = owner(ANA, AGENT)
ADMIN = Visitor(None, frozenset({WebRole.ADMIN}), csrf="c", fresh=True, by="local")
INVESTIGATOR = Visitor(BEN, frozenset({WebRole.INVESTIGATOR}), csrf="c")


def record_held_call(
    desk: StoreCache,
    name: str = "read_file",
    reason: DecisionReason = DecisionReason.NO_RULE,
) -> str:
    """Have a gateway hold a call back; it waits in the spool."""
    caller, act = replace(CALLER, agent=AGENT), structs.replace(ACT, name=name)
    record = decided(2, replace(DENY, reason=reason), act, caller)
    key = build_event_id(LATER, "gateway", NAME, b"2").hex()
    record = structs.replace(record, at=LATER, id=key)
    write(desk.spools[0], spelled([opened(), record, closed(3)]))
    return record.id
