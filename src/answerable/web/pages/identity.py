"""Pages of one identity, credential or person."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from answerable.inventory.people import PersonDirectory
from answerable.model.documents.core import IdentityItem, PersonItem, ToolItem
from answerable.model.ids import PersonId
from answerable.presentation.credential_revocation import revocation_effect
from answerable.services.statements.owner_keys import list_owner_keys
from answerable.usecases.reach.permission_usage import count_patterns
from answerable.web.pages import inventory_listings, subject_sections
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import StoreView
from answerable.web.visitor import Visitor, WebPermission

_MAX_ROWS = 60
_MAX_OWNED = 100


def show_identity(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show one identity: grants, reach, use, and who acts as it."""
    key = asked.query.get("id", "")
    item = inventory_listings.identities(desk).by_key.get(key) or _unscanned_identity(
        desk, key
    )
    if item is None:
        return subject_sections.not_found_page(desk, "identities", key)
    reached = subject_sections.reach_section(desk, key)
    told = visit.can_see_activity_of(key)
    accounts = {item["account"]} - {""}
    rows = subject_sections.usage_rows(desk, key, reached, accounts, told=told)
    rows.sort(key=lambda row: (not row["admin"], not row["blocked"]))
    credentials = inventory_listings.credentials(desk).by_key
    values = {
        "item": item,
        "owned": subject_sections.owner_section(desk, key),
        "tools": _tools_by_identity(desk).get(key, ())[:_MAX_ROWS],
        "tools_of": len(_tools_by_identity(desk).get(key, ())),
        "credentials": [
            credentials[each] for each in item["credentials"] if each in credentials
        ],
        "reached": reached,
        "exercised": rows[:_MAX_ROWS],
        "patterns": len(rows),
        "counted": dict(count_patterns(rows)),
        "told": told,
        "deeds": subject_sections.activity_section(desk, visit, "identity", key, key),
        "coverage": reached.coverage
        or inventory_listings.coverage_document(desk).coverage,
    }
    return PageAnswer("identity.html", item["name"] or key, values)


def _unscanned_identity(desk: StoreCache, key: str) -> IdentityItem | None:
    """Build the item of an identity known only from logs."""
    owners = inventory_listings.current_inventory(desk).owners
    if key not in owners or key.startswith(("agent:", "cred:")):
        return None
    return {
        "id": key,
        "kind": "not scanned",
        "name": key.rpartition("/")[2],
        "account": "",
        "owner": inventory_listings.owner_item(owners, key),
        "agents": [],
        "credentials": [],
        "created_at": None,
        "last_used_at": None,
        "tags": {},
        "permissions": "not collected",
        "written_by": "platform",
        "people": [],
    }


def _tools_by_identity(desk: StoreCache) -> Mapping[str, Sequence[ToolItem]]:
    """Return the tools that act as each identity."""

    def made(_: object) -> Mapping[str, Sequence[ToolItem]]:
        found: dict[str, list[ToolItem]] = defaultdict(list)
        for tool in inventory_listings.tools(desk).items:
            for each in tool["identities"]:
                found[each].append(tool)
        return found

    return desk.get_derived("tools of identities", made)


def show_credential(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Show one credential: places, identity, and how to revoke it."""
    key = asked.query.get("id", "")
    item = inventory_listings.credentials(desk).by_key.get(key)
    if item is None:
        return subject_sections.not_found_page(desk, "credentials", key)
    proves = [item["identity"]] if item["identity"] else []
    values = {
        "item": item,
        "owned": subject_sections.owner_section(desk, key),
        "residual": revocation_effect(item["kind"]),
        "tools": _tools_by_credential(desk).get(key, ())[:_MAX_ROWS],
        "tools_of": len(_tools_by_credential(desk).get(key, ())),
        "deeds": subject_sections.activity_section(
            desk, visit, "credential", key, *proves
        ),
        "coverage": inventory_listings.coverage_document(desk).coverage,
    }
    return PageAnswer("credential.html", key, values)


def _tools_by_credential(desk: StoreCache) -> Mapping[str, Sequence[ToolItem]]:
    """Return the tools that use each credential."""

    def made(_: object) -> Mapping[str, Sequence[ToolItem]]:
        shown = {
            (tool["id"], tool["agent"], tool["target"]): tool
            for tool in inventory_listings.tools(desk).items
        }
        found: dict[str, list[ToolItem]] = defaultdict(list)
        for key, entity in desk.current_view().inventory.agents.items():
            for use in entity.tools:
                tool = shown[use.tool.id, key, use.tool.target]
                for each in use.credentials:
                    found[each].append(tool)
        return found

    return desk.get_derived("tools of credentials", made)


def show_person(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show one person: owned subjects and owner keys."""
    key = asked.query.get("id", "")
    item = inventory_listings.people(desk).by_key.get(key) or _unlisted_person(
        desk, key
    )
    if item is None:
        return subject_sections.not_found_page(desk, "people", key)
    owners = inventory_listings.current_inventory(desk).owners
    kinds: dict[str, list[tuple[str, object]]] = defaultdict(list)
    for kind, subject in inventory_listings.owned_subjects(item):
        kinds[kind].append((subject, inventory_listings.owner_item(owners, subject)))
    apart = _unmerged_persons(desk).get(key, frozenset())
    names = {f"person:{alias}" for alias in item["aliases"]} - apart
    with desk.open_store() as store:
        keys = [
            each
            for each in list_owner_keys(store, now=desk.now).items
            if each["person"] in {key, *names}
        ]
    deeds = None
    if WebPermission.INVESTIGATE in visit.may:
        deeds = subject_sections.activity_section(desk, visit, "person", key)
        # A search finds by any name; what stands here is this person's.
        own = [r for r in deeds.rows if r["hops"]["person"]["value"] not in apart]
        deeds = replace(deeds, rows=own, left_out=len(deeds.rows) - len(own))
    values = {
        "item": item,
        "aliases": sorted(name.removeprefix("person:") for name in names),
        "apart": sorted(apart),
        "kinds": {kind: found[:_MAX_OWNED] for kind, found in kinds.items()},
        "counts": {kind: len(found) for kind, found in kinds.items()},
        "keys": keys,
        "deeds": deeds,
        "coverage": inventory_listings.coverage_document(desk).coverage,
    }
    return PageAnswer("person.html", item["name"] or key, values)


def _unmerged_persons(desk: StoreCache) -> Mapping[str, frozenset[str]]:
    """Return persons with equal self-reported names, which are not merged."""

    def made(standing: StoreView) -> Mapping[str, frozenset[str]]:
        joined = PersonDirectory(standing.inventory.facts.persons)
        found: dict[str, set[str]] = defaultdict(set)
        for item in inventory_listings.people(desk).items:
            for alias in item["aliases"]:
                other = PersonId(f"person:{alias}")
                if joined(other) != joined(item["id"]):
                    found[item["id"]].add(other)
                    found[other].add(item["id"])
        return {each: frozenset(others) for each, others in found.items()}

    return desk.get_derived("people apart", made)


def _unlisted_person(desk: StoreCache, key: str) -> PersonItem | None:
    """Build the item of a person known only from evidence or a key."""
    owners = inventory_listings.current_inventory(desk).owners
    owns = sorted(each for each, known in owners.items() if known.person == key)
    with desk.open_store() as store:
        known = owns or any(
            each["person"] == key for each in list_owner_keys(store, now=desk.now).items
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


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/identity", show_identity, takes=("id",)),
    WebRoute("/credential", show_credential, takes=("id",)),
    WebRoute("/person", show_person, takes=("id",)),
)
