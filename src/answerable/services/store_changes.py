"""Items of changes to a store by policy, and the reasons that they require."""

from collections.abc import Iterable

from answerable.model.documents.store import StoreChangeItem
from answerable.model.errors import UsageError
from answerable.store.row_removal import PlannedRemoval

MAX_REASON_LENGTH = MAX_NAME_LENGTH = 1000
_PREFIX = "person:"


def list_removals(
    action: str, planned: Iterable[PlannedRemoval], *, dry_run: bool
) -> list[StoreChangeItem]:
    """List the removals of rows of each segment as items."""
    return [
        {
            "action": action,
            "state": "open"
            if each.unreadable or not each.rows
            else "planned"
            if dry_run
            else "done",
            "target": f"{each.state.manifest.day}: segment "
            f"{each.state.manifest.segment}",
            "events": len(each.rows),
            "held": each.held,
            "detail": _describe_removal(each),
        }
        for each in planned
    ]


def _describe_removal(planned: PlannedRemoval) -> str:
    """Describe why rows were not removed; empty if all were."""
    if planned.unreadable:
        return "missing or damaged, so not searched; see: answerable store repair"
    return "kept by a legal hold; see: answerable store holds" if planned.held else ""


def require_reason(reason: str) -> None:
    """Refuse a missing or very long reason.

    Raises:
        UsageError: It is empty or too long.
    """
    if not reason.strip() or len(reason) > MAX_REASON_LENGTH:
        raise UsageError(
            f"missing or too long reason (got {len(reason)} characters, expected 1 "
            f"to {MAX_REASON_LENGTH})",
            "state the reason; it is kept in the log: --reason TEXT",
        )


def require_name(name: str, min_length: int, hint: str) -> None:
    """Refuse a name of a person that is too short or too long to search for.

    Args:
        name: The name, with or without `person:`.
        min_length: Least number of characters.
        hint: Next step.

    Raises:
        UsageError: It is.
    """
    length = len(name.strip().removeprefix(_PREFIX).strip())
    if length < min_length:
        raise UsageError(
            f"a name needs at least {min_length} characters (got {name!r})", hint
        )
    if length > MAX_NAME_LENGTH:
        raise UsageError(
            f"a name has at most {MAX_NAME_LENGTH:,} characters (got {length:,})", hint
        )
