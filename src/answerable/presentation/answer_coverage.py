"""Build the coverage record of an inventory answer: sources and missing data."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from answerable.model.documents.shared_shapes import CoverageRecord, CoverageSourceItem
from answerable.model.errors import UsageError
from answerable.model.inventory import EventGaps, Inventory, SourceCoverage
from answerable.model.person import LISTED_OWNER_STATES
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.presentation.collection_coverage import (
    add_scheduled_source_states,
    add_unread_logs,
)
from answerable.presentation.timestamps import format_time as format_time

# Data that each list is made from: if a word is missing, an item or a count may be.
_REQUIRED_DATA: Mapping[str, tuple[str, ...]] = {
    "agents": (
        "agent-configs",
        "workflows",
        "ambient-credentials",
        "identity-policies",
        "access-keys",
    ),
    "tools": ("agent-configs", "workflows", "ambient-credentials", "access-keys"),
    "identities": (
        "identity-policies",
        "access-keys",
        "ambient-credentials",
        "agent-configs",
        "workflows",
    ),
    "credentials": ("ambient-credentials", "agent-configs", "workflows", "access-keys"),
    "people": (
        "agent-configs",
        "workflows",
        "codeowners",
        "ambient-credentials",
        "identity-policies",
    ),
    "who-owns": ("agent-configs", "workflows", "codeowners", "identity-policies"),
    "findings": (
        "agent-configs",
        "workflows",
        "codeowners",
        "ambient-credentials",
        "identity-policies",
        "access-keys",
        "cloudtrail",
    ),
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
    sources = add_scheduled_source_states(inventory.coverage, inventory.scheduled, now)
    gaps = inventory.read_event_gaps() if inventory.read_event_gaps else EventGaps()
    if gaps.unreadable:
        sources.append(_build_store_coverage(gaps.unreadable, now))
    sources = add_unread_logs(sources, gaps.unread)
    return build_source_coverage(sources, now, (*not_collected, *gaps.removed))


def _build_store_coverage(unreadable: Sequence[str], now: int) -> SourceCoverage:
    """Build the coverage entry of a store that lacks segments."""
    problems = (
        ReadProblem(ReadProblemKind.UNREADABLE, "", line) for line in unreadable
    )
    return SourceCoverage("store", "store", now, tuple(problems), (), ())


def build_list_coverage(
    kind: str,
    inventory: Inventory,
    now: int,
    *,
    has_items: bool = False,
    logs: Collection[str] = (),
) -> CoverageRecord:
    """Build the coverage of a list, with the missing data that could extend it.

    Args:
        kind: Kind of the document.
        now: UTC nanoseconds.
        has_items: Whether the list has items. Before the first scan they come from
            logs; an empty list then only needs a scan.
        logs: Sources of the ingested logs, for a list that depends on them.
    """
    is_started = inventory.coverage or has_items
    missing = list_missing_data(kind, inventory, logs) if is_started else []
    coverage = build_coverage(inventory, now, missing)
    used = set(logs).intersection(_REQUIRED_DATA.get(kind, ()))
    coverage["seen"] = sorted(used.union(coverage["seen"]))
    return coverage


def list_missing_data(
    kind: str, inventory: Inventory, logs: Collection[str] = ()
) -> list[str]:
    """List the uncollected data that a list depends on.

    Args:
        logs: Sources of the ingested logs, for a list that depends on them.
    """
    words = _REQUIRED_DATA.get(kind, ())
    if kind == "identities" and inventory.get_or_compute_value(
        "names workflows without a description", _names_undescribed_workflow
    ):
        words = (*words, "github-workflows")
    return [
        word for word in select_uncollected_data(words, inventory) if word not in logs
    ]


def _names_undescribed_workflow(inventory: Inventory) -> bool:
    """Return whether a repository names a workflow that no scan of GitHub describes."""
    known = inventory.facts.identities_by_id()
    return any(
        name.startswith("github:") and known[name].kind == "unknown" for name in known
    )


def select_uncollected_data(words: Iterable[str], inventory: Inventory) -> list[str]:
    """Select the kinds of data that no source of an inventory collected."""
    seen = {word for each in inventory.coverage for word in each.collected}
    return [word for word in words if word not in seen]


def count_or_unknown(
    kind: str, inventory: Inventory, number: int, logs: Collection[str] = ()
) -> int | None:
    """Return a count; None for zero while a source is missing."""
    missing = list_missing_data(kind, inventory, logs)
    return None if not number and missing else number


def build_source_coverage(
    sources: Sequence[SourceCoverage], now: int, not_collected: Sequence[str] = ()
) -> CoverageRecord:
    """Build the coverage of an answer from the sources that it rests on."""
    items: list[CoverageSourceItem] = [
        {
            "source": each.source,
            "at": format_time(each.at) if each.at else "",
            "age_s": max(0, now - each.at) // 1_000_000_000 if each.at else 0,
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


def build_empty_coverage() -> CoverageRecord:
    """Return the coverage of an answer that no source contributed to."""
    return {"partial": False, "sources": [], "seen": [], "not_collected": []}


def format_problem(problem: ReadProblem) -> str:
    """Format why a place could not be read, as one line."""
    what = " ".join(problem.what.split())
    if problem.place and problem.place not in what:
        return f"{problem.kind}: {problem.place}: {what}"
    return f"{problem.kind}: {what}"


def require_known_owner_state(owner_state: str) -> None:
    """Refuse an unknown ownership state."""
    if owner_state and owner_state not in LISTED_OWNER_STATES:
        states = ", ".join(LISTED_OWNER_STATES)
        raise UsageError(f"unknown owner state (got {owner_state[:80]!r})", states)


def refuse_misspelled_value(
    description: str, value: str, known_values: Iterable[str]
) -> None:
    """Refuse a value without a match that is similar to a known one.

    Raises:
        UsageError: The word is misspelled.
    """
    close = get_close_matches(value, list(known_values), n=1, cutoff=0.75)
    if close and close[0] != value:
        raise UsageError(
            f"no item has the {description} {value[:80]!r}", f"did you mean {close[0]}?"
        )
