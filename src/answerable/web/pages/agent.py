"""Agent page: owner, credentials, identities, activity."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from answerable.model.baseline import BaselineSubject
from answerable.model.ids import AgentId
from answerable.presentation.inventory_lists import format_time
from answerable.services.statements import signed_baselines
from answerable.store.run_queries import list_runs
from answerable.web.pages import inventory_listings, revocations, subject_sections
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

_MAX_RUNS = 8


def show_agent(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show one agent."""
    key = asked.query.get("id", "")
    item = inventory_listings.agents(desk).by_key.get(key)
    if item is None:
        return subject_sections.not_found_page(desk, "agents", key)
    entity = desk.current_view().inventory.agents.get(AgentId(key))
    told = visit.can_see_activity_of(key)
    owners = inventory_listings.current_inventory(desk).owners
    values = {
        "item": item,
        "facts": entity.agent.facts if entity else (),
        "owned": subject_sections.owner_section(desk, key),
        "children": _sub_agents(desk).get(key, ()),
        "owner_of": {
            each: inventory_listings.owner_item(owners, each)
            for each in item["identities"]
        },
        "reached": subject_sections.reach_section(desk, key),
        "deeds": subject_sections.activity_section(desk, visit, "agent", key, key),
        "runs": _recent_runs(desk, key) if told else (),
        "baselines": _agent_baselines(desk, key) if told else None,
        "slot": revocations.revocation_control(desk, visit, key),
        "declared": inventory_listings.declared_agents(desk).get(key),
        "coverage": inventory_listings.coverage_document(desk).coverage,
    }
    return PageAnswer("agent.html", item["name"] or key, values)


def _sub_agents(desk: StoreCache) -> Mapping[str, Sequence[str]]:
    def made(_: object) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for item in inventory_listings.agents(desk).items:
            if item["parent"]:
                found[item["parent"]].append(item["id"])
        return found

    return desk.get_derived("children", made)


def _recent_runs(desk: StoreCache, key: str) -> list[dict[str, object]]:
    with desk.open_store() as store:
        return [
            {
                "id": run.id,
                "first": format_time(run.first),
                "last": format_time(run.last),
                "events": run.events,
                "refused": run.refused,
                "person": run.person,
                "persons": run.persons,
            }
            for run in list_runs(store, key, _MAX_RUNS)
        ]


def _agent_baselines(desk: StoreCache, key: str) -> list[dict[str, object]]:
    def made(_: object) -> Mapping[BaselineSubject, signed_baselines.ActiveBaseline]:
        with desk.open_store() as store:
            return signed_baselines.read_signed_baselines(store, desk.now).standing

    return [
        {
            "server": subject.server,
            "identity": subject.identity,
            "stage": standing.stage.value,
            "person": standing.person,
            "signed_at": format_time(standing.signed_at),
            "expires": format_time(standing.expires),
        }
        for subject, standing in desk.get_derived("baselines", made).items()
        if subject.agent == key
    ]


ROUTES: tuple[WebRoute, ...] = (WebRoute("/agent", show_agent, takes=("id",)),)
