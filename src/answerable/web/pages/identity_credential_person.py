"""Show the page of one identity, one credential or one person."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from answerable.inventory.person_directory import PersonDirectory, list_merged_ids
from answerable.model.documents.inventory import (
    IdentityItem,
    PersonItem,
    ToolItem,
)
from answerable.model.ids import PersonId
from answerable.presentation.credential_revocation import revocation_effect
from answerable.services.statements.key_enrolment import list_owner_keys
from answerable.usecases.aws_permissions.permission_usage import count_action_patterns
from answerable.web.pages import inventory_list_definitions, show, subject_sections
from answerable.web.pages.bulk_ownership import REQUEST_PERMISSIONS
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import StoreView
from answerable.web.visitor import Visitor, WebPermission

_MAX_ROWS = 60
_MAX_OWNED = 100


def show_identity(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show one identity: permissions granted, reachable and used, owner, tools."""
    key = request.query.get("id", "")
    item = inventory_list_definitions.identities(cache).by_key.get(
        key
    ) or _build_unscanned_identity_item(cache, key)
    if item is None:
        return show.show_entity(cache, visitor, request)
    section = subject_sections.build_reach_section(cache, key)
    sees_activity = visitor.can_see_activity_of(key)
    accounts = {item["account"]} - {""}
    rows = subject_sections.compare_permission_usage(
        cache, key, section, accounts, show_calls=sees_activity
    )
    rows.sort(key=lambda row: (not row["admin"], not row["blocked"]))
    credentials = inventory_list_definitions.credentials(cache).by_key
    values = {
        "item": item,
        "owned": subject_sections.build_owner_section(cache, key),
        "tools": _index_tools_by_identity(cache).get(key, ())[:_MAX_ROWS],
        "tools_of": len(_index_tools_by_identity(cache).get(key, ())),
        "credentials": [
            credentials[each] for each in item["credentials"] if each in credentials
        ],
        "reached": section,
        "exercised": rows[:_MAX_ROWS],
        "patterns": len(rows),
        "counted": dict(count_action_patterns(rows)),
        "told": sees_activity,
        "deeds": subject_sections.build_activity_section(
            cache, visitor, "identity", key, key
        ),
        "coverage": section.coverage
        or inventory_list_definitions.build_coverage_document(cache).coverage,
    }
    return PageAnswer("identity.html", item["name"] or key, values)


def _build_unscanned_identity_item(cache: StoreCache, key: str) -> IdentityItem | None:
    """Build the list item of an identity that only logs mention."""
    owners = inventory_list_definitions.get_current_inventory(cache).owners
    if key not in owners or key.startswith(("agent:", "cred:")):
        return None
    return {
        "id": key,
        "kind": "not scanned",
        "name": key.rpartition("/")[2],
        "account": "",
        "owner": inventory_list_definitions.get_owner_item(owners, key),
        "agents": [],
        "credentials": [],
        "created_at": None,
        "last_used_at": None,
        "tags": {},
        "permissions": "not collected",
        "written_by": "platform",
        "people": [],
    }


def _index_tools_by_identity(cache: StoreCache) -> Mapping[str, Sequence[ToolItem]]:
    """Return the tools that act as each identity, by identity id."""

    def group_tools(_: object) -> Mapping[str, Sequence[ToolItem]]:
        found: dict[str, list[ToolItem]] = defaultdict(list)
        for tool in inventory_list_definitions.tools(cache).items:
            for each in tool["identities"]:
                found[each].append(tool)
        return found

    return cache.get_derived("tools of identities", group_tools)


def show_credential(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show one credential: places, identity, tools, and the effect of revoking it."""
    key = request.query.get("id", "")
    item = inventory_list_definitions.credentials(cache).by_key.get(key)
    if item is None:
        return show.show_entity(cache, visitor, request)
    proves = [item["identity"]] if item["identity"] else []
    values = {
        "item": item,
        "owned": subject_sections.build_owner_section(cache, key),
        "residual": revocation_effect(item["kind"]),
        "tools": _index_tools_by_credential(cache).get(key, ())[:_MAX_ROWS],
        "tools_of": len(_index_tools_by_credential(cache).get(key, ())),
        "deeds": subject_sections.build_activity_section(
            cache, visitor, "credential", key, *proves
        ),
        "coverage": inventory_list_definitions.build_coverage_document(cache).coverage,
    }
    return PageAnswer("credential.html", key, values)


def _index_tools_by_credential(cache: StoreCache) -> Mapping[str, Sequence[ToolItem]]:
    """Return the tools that use each credential, by credential id."""

    def group_tools(_: object) -> Mapping[str, Sequence[ToolItem]]:
        shown = {
            (tool["id"], tool["agent"], tool["target"]): tool
            for tool in inventory_list_definitions.tools(cache).items
        }
        found: dict[str, list[ToolItem]] = defaultdict(list)
        for key, entity in cache.current_view().inventory.agents.items():
            for use in entity.tools:
                tool = shown[use.tool.id, key, use.tool.target]
                for each in use.credentials:
                    found[each].append(tool)
        return found

    return cache.get_derived("tools of credentials", group_tools)


def show_person(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show one person: owned subjects and owner keys; any merged id leads to it."""
    inventory = inventory_list_definitions.get_current_inventory(cache)
    key, merged_ids = list_merged_ids(inventory, PersonId(request.query.get("id", "")))
    item = inventory_list_definitions.people(cache).by_key.get(
        key
    ) or _build_unlisted_person_item(cache, visitor, key)
    if item is None:
        return show.show_entity(cache, visitor, request)
    owners = inventory.owners
    kinds: dict[str, list[tuple[str, object]]] = defaultdict(list)
    for kind, subject in inventory_list_definitions.iterate_owned_subjects(item):
        kinds[kind].append(
            (subject, inventory_list_definitions.get_owner_item(owners, subject))
        )
    apart = _list_unmerged_persons(cache).get(key, frozenset()) - {*merged_ids}
    names = {f"person:{alias}" for alias in item["aliases"]} - apart - {*merged_ids}
    with cache.open_store() as store:
        keys = [
            each
            for each in list_owner_keys(store, now=cache.now).items
            if each["person"] in {key, *names, *merged_ids}
        ]
    deeds = None
    if WebPermission.INVESTIGATE in visitor.may:
        deeds = subject_sections.join_activity_sections(
            [
                subject_sections.build_activity_section(cache, visitor, "person", each)
                for each in (key, *merged_ids)
            ]
        )
        # A search matches every alias; drop the events of unmerged persons.
        own = [r for r in deeds.rows if r["hops"]["person"]["value"] not in apart]
        deeds = replace(deeds, rows=own, left_out=len(deeds.rows) - len(own))
    values = {
        "item": item,
        "aliases": sorted(name.removeprefix("person:") for name in names),
        "apart": sorted(apart),
        "merges": bool(REQUEST_PERMISSIONS & visitor.may),
        "signs": WebPermission.OWN in visitor.may and visitor.person is not None,
        "kinds": {kind: found[:_MAX_OWNED] for kind, found in kinds.items()},
        "counts": {kind: len(found) for kind, found in kinds.items()},
        "keys": keys,
        "merged_ids": merged_ids,
        "deeds": deeds,
        "coverage": inventory_list_definitions.build_coverage_document(cache).coverage,
    }
    return PageAnswer("person.html", item["name"] or key, values)


def _list_unmerged_persons(cache: StoreCache) -> Mapping[str, frozenset[str]]:
    """Return persons that only self-reported aliases join; they are not merged."""

    def find_pairs(view: StoreView) -> Mapping[str, frozenset[str]]:
        directory = PersonDirectory(view.inventory.facts.persons)
        found: dict[str, set[str]] = defaultdict(set)
        for item in inventory_list_definitions.people(cache).items:
            for alias in item["aliases"]:
                other = PersonId(f"person:{alias}")
                if directory(other) != directory(item["id"]):
                    found[item["id"]].add(other)
                    found[other].add(item["id"])
        return {each: frozenset(others) for each, others in found.items()}

    return cache.get_derived("people apart", find_pairs)


def _build_unlisted_person_item(
    cache: StoreCache, visitor: Visitor, key: str
) -> PersonItem | None:
    """Build the list item of a person that only owns subjects or keys, or visits."""
    owners = inventory_list_definitions.get_current_inventory(cache).owners
    owns = sorted(each for each, known in owners.items() if known.person == key)
    with cache.open_store() as store:
        known = (
            owns
            or key == visitor.person
            or any(
                each["person"] == key
                for each in list_owner_keys(store, now=cache.now).items
            )
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
        "manager": "",
        "sponsors": [],
        "merged": [],
    }


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/identity", show_identity, parameters=("id",)),
    WebRoute("/credential", show_credential, parameters=("id",)),
    WebRoute("/person", show_person, parameters=("id",)),
)
