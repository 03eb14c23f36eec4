"""Show the page of one agent: owner, tools, identities, reach, activity."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from answerable.model.baseline import BaselineSubject
from answerable.model.ids import AgentId
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.scanned_owners import build_scanned_owner_item
from answerable.services.statements import signed_baselines
from answerable.store.run_queries import list_agent_runs
from answerable.web.pages import (
    inventory_list_definitions,
    revocations,
    show,
    subject_sections,
)
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

_MAX_RUNS = 8


def show_agent(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show one agent; an id that is not listed as `/show` does."""
    key = request.query.get("id", "")
    item = inventory_list_definitions.agents(cache).by_key.get(key)
    if item is None:
        return show.show_entity(cache, visitor, request)
    entity = cache.current_view().inventory.agents.get(AgentId(key))
    sees_activity = visitor.can_see_activity_of(key)
    inventory = inventory_list_definitions.get_current_inventory(cache)
    values = {
        "item": item,
        "facts": entity.agent.facts if entity else (),
        "owned": subject_sections.build_owner_section(cache, key),
        "children": _group_sub_agents(cache).get(key, ()),
        "owner_of": {
            each: build_scanned_owner_item(inventory, each)
            for each in item["identities"]
        },
        "reached": subject_sections.build_reach_section(cache, key),
        "deeds": subject_sections.build_activity_section(
            cache, visitor, "agent", key, key
        ),
        "runs": _recent_runs(cache, key) if sees_activity else (),
        "baselines": _agent_baselines(cache, key) if sees_activity else None,
        "slot": revocations.build_revocation_control(cache, visitor, key),
        "declared": inventory_list_definitions.get_declared_agents(cache).get(key),
        "coverage": inventory_list_definitions.build_coverage_document(cache).coverage,
    }
    return PageAnswer("agent.html", item["name"] or key, values)


def _group_sub_agents(cache: StoreCache) -> Mapping[str, Sequence[str]]:
    """Map each agent to the ids of its sub-agents."""

    def group_by_parent(_: object) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for item in inventory_list_definitions.agents(cache).items:
            if item["parent"]:
                found[item["parent"]].append(item["id"])
        return found

    return cache.get_derived("children", group_by_parent)


def _recent_runs(cache: StoreCache, key: str) -> list[dict[str, object]]:
    """Return the newest eight runs of an agent."""
    with cache.open_store() as store:
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
            for run in list_agent_runs(store, key, _MAX_RUNS)
        ]


def _agent_baselines(cache: StoreCache, key: str) -> list[dict[str, object]]:
    """Return the signed baselines in force of an agent."""

    def read_active(
        _: object,
    ) -> Mapping[BaselineSubject, signed_baselines.ActiveBaseline]:
        with cache.open_store() as store:
            return signed_baselines.read_active_baselines(store, cache.now)

    return [
        {
            "server": subject.server,
            "identity": subject.identity,
            "stage": baseline.stage.value,
            "person": baseline.person,
            "signed_at": format_time(baseline.signed_at),
            "expires": format_time(baseline.expires),
        }
        for subject, baseline in cache.get_derived("baselines", read_active).items()
        if subject.agent == key
    ]


ROUTES: tuple[WebRoute, ...] = (WebRoute("/agent", show_agent, parameters=("id",)),)
