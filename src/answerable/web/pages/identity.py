"""Pages of one identity, credential or person."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from answerable.inventory.people import People
from answerable.model.documents.core import IdentityItem, PersonItem, ToolItem
from answerable.model.ids import PersonId
from answerable.presentation.credential_revocation import residual
from answerable.services.statements.owner_keys import listed
from answerable.usecases.reach.permission_usage import counted
from answerable.web.pages import inventory_listings, subject_sections
from answerable.web.routing import Answer, Asked, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.store_view import Standing
from answerable.web.visitor import May, Visit

_SHOWN = 60
_OWNED = 100


def identity(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show one identity: grants, reach, use, and who acts as it."""
    key = asked.query.get("id", "")
    item = inventory_listings.identities(desk).by_key.get(key) or _gone(desk, key)
    if item is None:
        return subject_sections.missing(desk, "identities", key)
    reached = subject_sections.reached(desk, key)
    told = visit.sees_deeds_of(key)
    accounts = {item["account"]} - {""}
    rows = subject_sections.exercise(desk, key, reached, accounts, told=told)
    rows.sort(key=lambda row: (not row["admin"], not row["blocked"]))
    credentials = inventory_listings.credentials(desk).by_key
    values = {
        "item": item,
        "owned": subject_sections.owned(desk, key),
        "tools": _tools(desk).get(key, ())[:_SHOWN],
        "tools_of": len(_tools(desk).get(key, ())),
        "credentials": [
            credentials[each] for each in item["credentials"] if each in credentials
        ],
        "reached": reached,
        "exercised": rows[:_SHOWN],
        "patterns": len(rows),
        "counted": dict(counted(rows)),
        "told": told,
        "deeds": subject_sections.deeds(desk, visit, "identity", key, key),
        "coverage": reached.coverage or inventory_listings.coverage(desk).coverage,
    }
    return Page("identity.html", item["name"] or key, values)


def _gone(desk: Desk, key: str) -> IdentityItem | None:
    """Build the item of an identity known only from logs."""
    owners = inventory_listings.judged(desk).owners
    if key not in owners or key.startswith(("agent:", "cred:")):
        return None
    return {
        "id": key,
        "kind": "not scanned",
        "name": key.rpartition("/")[2],
        "account": "",
        "owner": inventory_listings.owner(owners, key),
        "agents": [],
        "credentials": [],
        "created_at": None,
        "last_used_at": None,
        "tags": {},
        "permissions": "not collected",
        "written_by": "platform",
        "people": [],
    }


def _tools(desk: Desk) -> Mapping[str, Sequence[ToolItem]]:
    """Return the tools that act as each identity."""

    def made(_: object) -> Mapping[str, Sequence[ToolItem]]:
        found: dict[str, list[ToolItem]] = defaultdict(list)
        for tool in inventory_listings.tools(desk).items:
            for each in tool["identities"]:
                found[each].append(tool)
        return found

    return desk.kept("tools of identities", made)


def credential(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show one credential: places, identity, and how to revoke it."""
    key = asked.query.get("id", "")
    item = inventory_listings.credentials(desk).by_key.get(key)
    if item is None:
        return subject_sections.missing(desk, "credentials", key)
    proves = [item["identity"]] if item["identity"] else []
    values = {
        "item": item,
        "owned": subject_sections.owned(desk, key),
        "residual": residual(item["kind"]),
        "tools": _carriers(desk).get(key, ())[:_SHOWN],
        "tools_of": len(_carriers(desk).get(key, ())),
        "deeds": subject_sections.deeds(desk, visit, "credential", key, *proves),
        "coverage": inventory_listings.coverage(desk).coverage,
    }
    return Page("credential.html", key, values)


def _carriers(desk: Desk) -> Mapping[str, Sequence[ToolItem]]:
    """Return the tools that use each credential."""

    def made(_: object) -> Mapping[str, Sequence[ToolItem]]:
        shown = {
            (tool["id"], tool["agent"], tool["target"]): tool
            for tool in inventory_listings.tools(desk).items
        }
        found: dict[str, list[ToolItem]] = defaultdict(list)
        for key, entity in desk.standing().inventory.agents.items():
            for use in entity.tools:
                tool = shown[use.tool.id, key, use.tool.target]
                for each in use.credentials:
                    found[each].append(tool)
        return found

    return desk.kept("tools of credentials", made)


def person(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show one person: owned subjects and owner keys."""
    key = asked.query.get("id", "")
    item = inventory_listings.people(desk).by_key.get(key) or _unlisted(desk, key)
    if item is None:
        return subject_sections.missing(desk, "people", key)
    owners = inventory_listings.judged(desk).owners
    kinds: dict[str, list[tuple[str, object]]] = defaultdict(list)
    for kind, subject in inventory_listings.subjects_of(item):
        kinds[kind].append((subject, inventory_listings.owner(owners, subject)))
    apart = _apart(desk).get(key, frozenset())
    names = {f"person:{alias}" for alias in item["aliases"]} - apart
    with desk.store() as store:
        keys = [
            each
            for each in listed(store, now=desk.now).items
            if each["person"] in {key, *names}
        ]
    deeds = None
    if May.INVESTIGATE in visit.may:
        deeds = subject_sections.deeds(desk, visit, "person", key)
        # A search finds by any name; what stands here is this person's.
        own = [r for r in deeds.rows if r["hops"]["person"]["value"] not in apart]
        deeds = replace(deeds, rows=own, left_out=len(deeds.rows) - len(own))
    values = {
        "item": item,
        "aliases": sorted(name.removeprefix("person:") for name in names),
        "apart": sorted(apart),
        "kinds": {kind: found[:_OWNED] for kind, found in kinds.items()},
        "counts": {kind: len(found) for kind, found in kinds.items()},
        "keys": keys,
        "deeds": deeds,
        "coverage": inventory_listings.coverage(desk).coverage,
    }
    return Page("person.html", item["name"] or key, values)


def _apart(desk: Desk) -> Mapping[str, frozenset[str]]:
    """Return persons with equal self-reported names, which are not merged."""

    def made(standing: Standing) -> Mapping[str, frozenset[str]]:
        joined = People(standing.inventory.facts.persons)
        found: dict[str, set[str]] = defaultdict(set)
        for item in inventory_listings.people(desk).items:
            for alias in item["aliases"]:
                other = PersonId(f"person:{alias}")
                if joined(other) != joined(item["id"]):
                    found[item["id"]].add(other)
                    found[other].add(item["id"])
        return {each: frozenset(others) for each, others in found.items()}

    return desk.kept("people apart", made)


def _unlisted(desk: Desk, key: str) -> PersonItem | None:
    """Build the item of a person known only from evidence or a key."""
    owners = inventory_listings.judged(desk).owners
    owns = sorted(each for each, known in owners.items() if known.person == key)
    with desk.store() as store:
        known = owns or any(
            each["person"] == key for each in listed(store, now=desk.now).items
        )
    if not known:
        return None
    return {
        "id": key,
        "name": "",
        "aliases": [],
        "team": False,
        "alive": True,
        "owns": owns,
        "may_become": [],
    }


ROUTES: tuple[Route, ...] = (
    Route("/identity", identity, takes=("id",)),
    Route("/credential", credential, takes=("id",)),
    Route("/person", person, takes=("id",)),
)
