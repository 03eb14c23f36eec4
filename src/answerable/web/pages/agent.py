"""Agent page: owner, credentials, identities, activity."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from answerable.model.baseline import Subject
from answerable.model.ids import AgentId
from answerable.presentation.inventory_lists import spelled_time
from answerable.services.statements import signed_baselines
from answerable.store.run_queries import runs_of
from answerable.web.pages import inventory_listings, revocations, subject_sections
from answerable.web.routing import Answer, Asked, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.visitor import Visit

_RUNS = 8


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show one agent."""
    key = asked.query.get("id", "")
    item = inventory_listings.agents(desk).by_key.get(key)
    if item is None:
        return subject_sections.missing(desk, "agents", key)
    entity = desk.standing().inventory.agents.get(AgentId(key))
    told = visit.sees_deeds_of(key)
    owners = inventory_listings.judged(desk).owners
    values = {
        "item": item,
        "facts": entity.agent.facts if entity else (),
        "owned": subject_sections.owned(desk, key),
        "children": _children(desk).get(key, ()),
        "owner_of": {
            each: inventory_listings.owner(owners, each) for each in item["identities"]
        },
        "reached": subject_sections.reached(desk, key),
        "deeds": subject_sections.deeds(desk, visit, "agent", key, key),
        "runs": _runs(desk, key) if told else (),
        "baselines": _baselines(desk, key) if told else None,
        "slot": revocations.slot(desk, visit, key),
        "declared": inventory_listings.declared(desk).get(key),
        "coverage": inventory_listings.coverage(desk).coverage,
    }
    return Page("agent.html", item["name"] or key, values)


def _children(desk: Desk) -> Mapping[str, Sequence[str]]:
    def made(_: object) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for item in inventory_listings.agents(desk).items:
            if item["parent"]:
                found[item["parent"]].append(item["id"])
        return found

    return desk.kept("children", made)


def _runs(desk: Desk, key: str) -> list[dict[str, object]]:
    with desk.store() as store:
        return [
            {
                "id": run.id,
                "first": spelled_time(run.first),
                "last": spelled_time(run.last),
                "events": run.events,
                "refused": run.refused,
                "person": run.person,
                "persons": run.persons,
            }
            for run in runs_of(store, key, _RUNS)
        ]


def _baselines(desk: Desk, key: str) -> list[dict[str, object]]:
    def made(_: object) -> Mapping[Subject, signed_baselines.Standing]:
        with desk.store() as store:
            return signed_baselines.held(store, desk.now).standing

    return [
        {
            "server": subject.server,
            "identity": subject.identity,
            "stage": standing.stage.value,
            "person": standing.person,
            "signed_at": spelled_time(standing.signed_at),
            "expires": spelled_time(standing.expires),
        }
        for subject, standing in desk.kept("baselines", made).items()
        if subject.agent == key
    ]


ROUTES: tuple[Route, ...] = (Route("/agent", page, takes=("id",)),)
