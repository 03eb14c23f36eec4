"""The list of approval requests: those that the visitor may answer come first."""

from dataclasses import replace

from msgspec import structs

from answerable.model.ids import AgentId, build_event_id
from answerable.web.routing import PageAnswer
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
from tests.usecases.owned_store import AGENT, ANA, OTHER
from tests.web.conftest import answer
from tests.web.signing.owner_store import INVESTIGATOR, LATER

SECOND = 10**9


def record_denials(desk: StoreCache, *agents: AgentId) -> None:
    """Have a gateway deny one call of each agent, one after the other."""
    records = []
    for number, agent in enumerate(agents, 2):
        at = LATER - (9 - number) * SECOND
        record = decided(number, DENY, ACT, replace(CALLER, agent=agent))
        key = build_event_id(at, "gateway", NAME, str(number).encode()).hex()
        records.append(structs.replace(record, at=at, id=key))
    write(desk.spools[0], spelled([opened(), *records, closed(len(agents) + 2)]))


def list_agents(desk: StoreCache, visitor: Visitor) -> list[str]:
    """List the agents of the requests on the page, from above."""
    page = answer(desk, visitor, "/asks")
    assert isinstance(page, PageAnswer)
    return [item["agent"] for item in page.values["items"]]  # type: ignore[attr-defined]  # of a test


def test_requests_that_the_visitor_may_answer_come_first(desk: StoreCache) -> None:
    record_denials(desk, AGENT, OTHER)
    roles = frozenset({WebRole.OWNER, WebRole.INVESTIGATOR})
    owner = Visitor(ANA, roles, frozenset({AGENT}), "c", fresh=True)
    assert list_agents(desk, owner) == [AGENT, OTHER]
    assert list_agents(desk, INVESTIGATOR) == [OTHER, AGENT]  # the newest first
