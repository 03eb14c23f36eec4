"""Lists of agents, identities, credentials, persons and tools, with their coverage."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from answerable.inventory import aged
from answerable.inventory import people as people_of
from answerable.model.documents.core import Coverage, Document, SourceItem, ToolItem
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId
from answerable.model.inventory import Inventory, SourceCoverage
from answerable.model.person import OwnerState
from answerable.model.sighting import Problem
from answerable.presentation.inventory_items import (
    agent_item,
    credential_item,
    identity_item,
    person_item,
    tool_item,
)
from answerable.presentation.inventory_items import owner as owner
from answerable.presentation.inventory_items import spelled_time as spelled_time

_SCAN = "answerable scan"
# Data that each list is made from: if a word is missing, an item or a count may be.
_MADE_FROM: Mapping[str, tuple[str, ...]] = {
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
LISTS = tuple(_MADE_FROM)


def coverage(
    inventory: Inventory, now: int, not_collected: Sequence[str] = ()
) -> Coverage:
    """Build the coverage of an answer from an inventory.

    Args:
        now: UTC nanoseconds.
        not_collected: Uncollected data that could change this answer.
    """
    return coverage_of(inventory.coverage, now, not_collected)


def coverage_of_list(kind: str, inventory: Inventory, now: int) -> Coverage:
    """Build the coverage of a list, with the data that could extend it.

    Args:
        kind: Kind of the document.
        now: UTC nanoseconds.
    """
    missing = missing_from(kind, inventory) if inventory.coverage else []
    return coverage(inventory, now, missing)


def missing_from(kind: str, inventory: Inventory) -> list[str]:
    """List the uncollected data that a list depends on."""
    seen = {word for each in inventory.coverage for word in each.collected}
    return [word for word in _MADE_FROM.get(kind, ()) if word not in seen]


def count(kind: str, inventory: Inventory, number: int) -> int | None:
    """Return a count; None for zero while a source is missing."""
    return None if not number and missing_from(kind, inventory) else number


def coverage_of(
    sources: Sequence[SourceCoverage], now: int, not_collected: Sequence[str] = ()
) -> Coverage:
    """Build the coverage of an answer from some sources."""
    items: list[SourceItem] = [
        {
            "source": each.source,
            "at": spelled_time(each.at),
            "age_s": max(0, now - each.at) // 1_000_000_000,
            "problems": [problem_line(problem) for problem in each.problems],
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


def no_coverage() -> Coverage:
    """Return the coverage of an answer that rests on no source."""
    return {"partial": False, "sources": [], "seen": [], "not_collected": []}


def problem_line(problem: Problem) -> str:
    """Format a problem as one line."""
    what = " ".join(problem.what.split())
    if problem.place and problem.place not in what:
        return f"{problem.kind}: {problem.place}: {what}"
    return f"{problem.kind}: {what}"


def agents(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List agents with their tools, credentials and identities."""
    inventory = aged(inventory, now)
    items = [agent_item(inventory, entity) for entity in inventory.agents.values()]
    kept = _filtered(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    searched = _searched(kind, kinds, len(items))
    return _document("agents", inventory, now, kept, searched)


def identities(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List identities with the agents and credentials that reach them."""
    inventory = aged(inventory, now)
    items = [identity_item(inventory, each) for each in inventory.facts.identities]
    kept = _filtered(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    searched = _searched(kind, kinds, len(items))
    return _document("identities", inventory, now, kept, searched)


def credentials(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List credentials with every place they are in; never a value."""
    inventory = aged(inventory, now)
    items = [credential_item(inventory, e) for e in inventory.credentials.values()]
    kept = _filtered(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    searched = _searched(kind, kinds, len(items))
    return _document("credentials", inventory, now, kept, searched)


def people(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List persons and teams with what they own.

    `kind` is `person` or `team`; `owner_state` keeps what is owned in that state.
    Suggested ownership is shown only when it is asked for.
    """
    inventory = aged(inventory, now)
    known_state(owner_state)
    listed = inventory.once("listed people", _listed)
    items = [
        person_item(inventory, inventory.persons[key], owner_state, ids)
        for key, ids in listed.items()
        if kind in ("", "team" if inventory.persons[key].team else "person")
    ]
    if owner_state:
        items = [item for item in items if item["owns"]]
    searched = _searched(kind, ("person", "team"), len(listed))
    return _document("people", inventory, now, items, searched)


def _listed(inventory: Inventory) -> Mapping[PersonId, tuple[PersonId, ...]]:
    return people_of.listed(inventory.persons, inventory.facts.evidence)


def tools(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List the tools of every agent; `kind` is a transport, the owner the agent's."""
    inventory = aged(inventory, now)
    known_state(owner_state)
    items: list[ToolItem] = []
    for key, entity in inventory.agents.items():
        if owner_state and owner(inventory, key)["state"] != owner_state:
            continue
        items += [
            tool_item(inventory, key, use)
            for use in entity.tools
            if kind in ("", use.tool.transport)
        ]
    kinds = [u.tool.transport for each in inventory.agents.values() for u in each.tools]
    searched = _searched(kind, kinds, len(kinds))
    return _document("tools", inventory, now, items, searched)


# The list of each kind, by the name of its command.
BY_KIND: Mapping[str, Callable[..., Document]] = {
    "agents": agents,
    "identities": identities,
    "credentials": credentials,
    "people": people,
    "tools": tools,
}


def known_state(owner_state: str) -> None:
    """Refuse an unknown ownership state."""
    if owner_state and owner_state not in set(OwnerState):
        states = ", ".join(OwnerState)
        raise UsageError(f"unknown owner state (got {owner_state[:80]!r})", states)


def _filtered(
    items: Sequence[Mapping[str, object]], owner_state: str, kind: str
) -> list[Mapping[str, object]]:
    known_state(owner_state)
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


def _searched(kind: str, kinds: Collection[str], count: int) -> str:
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


def _document(
    kind: str,
    inventory: Inventory,
    now: int,
    items: Sequence[Mapping[str, object]],
    searched: str = "",
) -> Document:
    hint, none_of = "" if inventory.coverage else _SCAN, "" if items else searched
    covered = coverage_of_list(kind, inventory, now)
    return Document(kind, items, covered, next=hint, searched=none_of)
