"""Check of action globs against stored events and the action catalogue."""

from difflib import get_close_matches

from answerable.connectors.iam_catalogue.fetch import load
from answerable.model.errors import UsageError
from answerable.reach.action_names import unmatched
from answerable.store.chains import Filter, find_events
from answerable.store.store import Store

_CLOSE = 0.6


def check_trail_action(store: Store, glob: str) -> None:
    """Refuse an action glob that matches no stored event and no AWS action.

    It is called when an answer is empty: a misspelled action must not read as "it was
    never called". Every action of a stored event is right, of whichever source.

    Args:
        store: The store.
        glob: `*` and `?`, in any case; empty is no glob.

    Raises:
        UsageError: Nothing matches; the hint has the nearest action.
    """
    if not glob or find_events(store, Filter(actions=[glob], limit=1)):
        return
    near = unmatched(glob, load)
    if near is None:
        return
    rows = store.rows("SELECT DISTINCT action FROM events")
    stored = {str(action).lower(): str(action) for (action,) in rows}
    names = {folded.rpartition(":")[2]: text for folded, text in stored.items()}
    asked = glob.lower().strip("*?")
    for known in (names, stored):
        close = get_close_matches(asked, known, n=1, cutoff=_CLOSE)
        near = known[close[0]] if close else near
    raise UsageError(
        f"no event and no AWS action has such a name (got {glob[:80]!r})",
        f"did you mean {near}?" if near else "for example --action 's3:Get*'",
    )
