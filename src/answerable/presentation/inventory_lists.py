"""Lists of agents, identities, credentials, persons and tools, with their coverage."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from answerable.inventory import people as people_of
from answerable.inventory import reassess_owners
from answerable.model.documents.core import (
    CoverageRecord,
    CoverageSourceItem,
    Document,
    ToolItem,
)
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId
from answerable.model.inventory import Inventory, SourceCoverage
from answerable.model.person import OwnerState
from answerable.model.sighting import ReadProblem
from answerable.presentation.inventory_items import (
    build_agent_item,
    build_credential_item,
    build_identity_item,
    build_person_item,
    build_tool_item,
)
from answerable.presentation.inventory_items import build_owner_item as build_owner_item
from answerable.presentation.inventory_items import format_time as format_time

_SCAN_COMMAND = "answerable scan"
# Data that each list is made from: if a word is missing, an item or a count may be.
_REQUIRED_DATA: Mapping[str, tuple[str, ...]] = {
    "agents": (
        *("agent-configs", "workflows", "ambient-credentials"),
        *("identity-policies", "access-keys"),
    ),
    "tools": ("agent-configs", "workflows", "ambient-credentials", "access-keys"),
    "identities": (
        *("identity-policies", "access-keys", "ambient-credentials"),
        *("agent-configs", "workflows"),
    ),
    "credentials": ("ambient-credentials", "agent-configs", "workflows", "access-keys"),
    "people": ("agent-configs", "workflows", "codeowners", "identity-policies"),
    "who-owns": ("agent-configs", "workflows", "codeowners", "identity-policies"),
    "lineage": ("cloudtrail",),
    "events": ("cloudtrail",),
}
LIST_KINDS = tuple(_REQUIRED_DATA)


def build_coverage(
    inventory: Inventory, now: int, not_collected: Sequence[str] = ()
) -> CoverageRecord:
    """Build the coverage of an answer from an inventory.

    Args:
        now: UTC nanoseconds.
        not_collected: Uncollected data that could change this answer.
    """
    return build_source_coverage(inventory.coverage, now, not_collected)


def build_list_coverage(kind: str, inventory: Inventory, now: int) -> CoverageRecord:
    """Build the coverage of a list, with the data that could extend it.

    Args:
        kind: Kind of the document.
        now: UTC nanoseconds.
    """
    missing = list_missing_data(kind, inventory) if inventory.coverage else []
    return build_coverage(inventory, now, missing)


def list_missing_data(kind: str, inventory: Inventory) -> list[str]:
    """List the uncollected data that a list depends on."""
    seen = {word for each in inventory.coverage for word in each.collected}
    return [word for word in _REQUIRED_DATA.get(kind, ()) if word not in seen]


def count_or_unknown(kind: str, inventory: Inventory, number: int) -> int | None:
    """Return a count; None for zero while a source is missing."""
    return None if not number and list_missing_data(kind, inventory) else number


def build_source_coverage(
    sources: Sequence[SourceCoverage], now: int, not_collected: Sequence[str] = ()
) -> CoverageRecord:
    """Build the coverage of an answer from some sources."""
    items: list[CoverageSourceItem] = [
        {
            "source": each.source,
            "at": format_time(each.at),
            "age_s": max(0, now - each.at) // 1_000_000_000,
            "problems": [format_problem(problem) for problem in each.problems],
        }
        for each in sources
    ]
    seen = {word for each in sources for word in each.collected}
    return {
        "partial": any(each.problems for each in sources),
        "sources": items,
        "seen": sorted(seen),
        "not_collected": sorted(set(not_collected)),
    }


def empty_coverage() -> CoverageRecord:
    """Return the coverage of an answer that rests on no source."""
    return {"partial": False, "sources": [], "seen": [], "not_collected": []}


def format_problem(problem: ReadProblem) -> str:
    """Format a problem as one line."""
    what = " ".join(problem.what.split())
    if problem.place and problem.place not in what:
        return f"{problem.kind}: {problem.place}: {what}"
    return f"{problem.kind}: {what}"


def list_agents(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List agents with their tools, credentials and identities."""
    inventory = reassess_owners(inventory, now)
    items = [
        build_agent_item(inventory, entity) for entity in inventory.agents.values()
    ]
    kept = _filter_items(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    searched = _describe_empty_list(kind, kinds, len(items))
    return _build_document("agents", inventory, now, kept, searched)


def list_identities(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List identities with the agents and credentials that reach them."""
    inventory = reassess_owners(inventory, now)
    items = [
        build_identity_item(inventory, each) for each in inventory.facts.identities
    ]
    kept = _filter_items(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    searched = _describe_empty_list(kind, kinds, len(items))
    return _build_document("identities", inventory, now, kept, searched)


def list_credentials(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List credentials with every place they are in; never a value."""
    inventory = reassess_owners(inventory, now)
    items = [
        build_credential_item(inventory, e) for e in inventory.credentials.values()
    ]
    kept = _filter_items(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    searched = _describe_empty_list(kind, kinds, len(items))
    return _build_document("credentials", inventory, now, kept, searched)


def list_people(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List persons and teams with what they own.

    `kind` is `person` or `team`; `owner_state` keeps what is owned in that state.
    Suggested ownership is shown only when it is asked for.
    """
    inventory = reassess_owners(inventory, now)
    require_owner_state(owner_state)
    listed = inventory.get_or_compute("listed people", _group_person_ids)
    items = [
        build_person_item(inventory, inventory.persons[key], owner_state, ids)
        for key, ids in listed.items()
        if kind in ("", "team" if inventory.persons[key].team else "person")
    ]
    if owner_state:
        items = [item for item in items if item["owns"]]
    searched = _describe_empty_list(kind, ("person", "team"), len(listed))
    return _build_document("people", inventory, now, items, searched)


def _group_person_ids(inventory: Inventory) -> Mapping[PersonId, tuple[PersonId, ...]]:
    return people_of.group_listed_persons(inventory.persons, inventory.facts.evidence)


def list_tools(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List the tools of every agent; `kind` is a transport, the owner the agent's."""
    inventory = reassess_owners(inventory, now)
    require_owner_state(owner_state)
    items: list[ToolItem] = []
    for key, entity in inventory.agents.items():
        if owner_state and build_owner_item(inventory, key)["state"] != owner_state:
            continue
        items += [
            build_tool_item(inventory, key, use)
            for use in entity.tools
            if kind in ("", use.tool.transport)
        ]
    kinds = [u.tool.transport for each in inventory.agents.values() for u in each.tools]
    searched = _describe_empty_list(kind, kinds, len(kinds))
    return _build_document("tools", inventory, now, items, searched)


# The list of each kind, by the name of its command.
BY_KIND: Mapping[str, Callable[..., Document]] = {
    "agents": list_agents,
    "identities": list_identities,
    "credentials": list_credentials,
    "people": list_people,
    "tools": list_tools,
}


def require_owner_state(owner_state: str) -> None:
    """Refuse an unknown ownership state."""
    if owner_state and owner_state not in set(OwnerState):
        states = ", ".join(OwnerState)
        raise UsageError(f"unknown owner state (got {owner_state[:80]!r})", states)


def _filter_items(
    items: Sequence[Mapping[str, object]], owner_state: str, kind: str
) -> list[Mapping[str, object]]:
    require_owner_state(owner_state)
    kept = []
    for item in items:
        shown = item["owner"]
        state = shown["state"] if isinstance(shown, dict) else ""
        if owner_state in ("", state) and kind in ("", item["kind"]):
            kept.append(item)
    return kept


def refuse_misspelled(what: str, given: str, known: Iterable[str]) -> None:
    """Refuse a word that matches nothing and is close to a known one.

    Raises:
        UsageError: The word is misspelled.
    """
    close = get_close_matches(given, list(known), n=1, cutoff=0.75)
    if close and close[0] != given:
        raise UsageError(
            f"nothing is of {what} {given[:80]!r}", f"did you mean {close[0]}?"
        )


def _describe_empty_list(kind: str, kinds: Collection[str], count: int) -> str:
    """Describe the search that found nothing, with the kinds that exist.

    Args:
        kind: Queried kind, empty for all.
        count: Number of things of every kind.
    """
    known = sorted({each for each in kinds if each})
    if kind and known and kind not in known:
        refuse_misspelled("kind", kind, known)
        return f"nothing is of kind {kind[:80]!r}; there are: {', '.join(known)}"
    return f"none of {count} fits" if count else ""


def _build_document(
    kind: str,
    inventory: Inventory,
    now: int,
    items: Sequence[Mapping[str, object]],
    searched: str = "",
) -> Document:
    hint, none_of = (
        "" if inventory.coverage else _SCAN_COMMAND,
        "" if items else searched,
    )
    covered = build_list_coverage(kind, inventory, now)
    return Document(kind, items, covered, next=hint, searched=none_of)
