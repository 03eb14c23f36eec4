"""Reject action globs and source names that match no stored event and no catalogue."""

from difflib import get_close_matches

from answerable.model.errors import UsageError
from answerable.model.log_sources import OWN_SOURCES
from answerable.store.event_queries import EventFilter, count_events_by_source
from answerable.store.investigation_queries import (
    InvestigationFilter,
    find_newest_events,
)
from answerable.store.store import EvidenceStore

_SIMILARITY = 0.6


def require_known_action(store: EvidenceStore, glob: str) -> None:
    """Refuse an action glob that matches no stored event and no AWS action.

    It is called for an empty answer: a misspelled action must not read as "it was never
    called". Every action of a stored event is accepted, from any source.

    Args:
        glob: `*` and `?`, in any case; empty for none.

    Raises:
        UsageError: Nothing matches; the hint has the nearest action.
    """
    called = InvestigationFilter(EventFilter(actions=[glob]))
    if not glob or find_newest_events(store, called, 1):
        return
    from answerable.connectors.iam_catalogue.fetch import load_catalogue
    from answerable.reach.aws.action_validation import suggest_for_unmatched_glob

    near = suggest_for_unmatched_glob(glob, load_catalogue)
    if near is None:
        return
    rows = store.run_query("SELECT DISTINCT action FROM events")
    stored = {str(action).lower(): str(action) for (action,) in rows}
    names = {folded.rpartition(":")[2]: text for folded, text in stored.items()}
    asked = glob.lower().strip("*?")
    for known in (names, stored):
        close = get_close_matches(asked, known, n=1, cutoff=_SIMILARITY)
        near = known[close[0]] if close else near
    raise UsageError(
        f"no event and no AWS action matches --action (got {glob[:80]!r})",
        f"did you mean {near}?" if near else "for example --action 's3:Get*'",
    )


def list_log_sources() -> list[str]:
    """List the names of all sources of events: logs, and own recorders."""
    from answerable.connectors.registry import CONNECTORS, EVENTS

    logs = {each.name for each in CONNECTORS if each.spec.gives == EVENTS}
    return sorted(logs.union(OWN_SOURCES))


def require_known_source(store: EvidenceStore, source: str) -> None:
    """Refuse the name of a source that no connector and no stored event has.

    It is called when an answer is empty, as `require_known_action` is.

    Args:
        store: The store.
        source: Exact name; empty is no question.

    Raises:
        UsageError: There is no such source; the hint has the nearest name.
    """
    names = {*list_log_sources(), *(n for n, _ in count_events_by_source(store))}
    if not source or source in names:
        return
    close = get_close_matches(source.lower(), names, n=1, cutoff=_SIMILARITY)
    known = f"sources of events: {', '.join(sorted(names))}"
    raise UsageError(
        f"unknown event source (got {source[:80]!r})",
        f"did you mean {close[0]}?" if close else known,
    )
