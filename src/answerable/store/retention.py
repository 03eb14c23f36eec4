"""Remove events that are older than a number of days; legal holds keep theirs."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from answerable.model.time_units import DAY_NS
from answerable.store.legal_holds import LegalHold, read_holds
from answerable.store.row_conditions import ALL_ROWS, RowCondition, join_conditions
from answerable.store.row_removal import PlannedRemoval, plan_removal, remove_rows
from answerable.store.store_layout import format_day
from answerable.store.temporary_folders import sweep_temporary_folders

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

RETENTION_KIND = "retention"


class RetentionPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Removal of old events, as recorded in the log.

    Attributes:
        before: First day that is kept, `YYYY-MM-DD`.
        days: Number of days that are kept.
        source: Log source; empty for all.
        at: UTC nanoseconds as a decimal string.
        schema: `answerable/retention/v1`.
    """

    before: str
    days: int
    source: str
    at: str
    schema: str = "answerable/retention/v1"


def apply_retention(
    store: "EvidenceStore", days: int, source: str, now: int, *, dry_run: bool
) -> list[PlannedRemoval]:
    """Remove the events of days before the last `days` days.

    Today is the last day. Events that are not sealed yet are kept.

    Args:
        store: The store.
        days: Number of days to keep.
        source: Log source to remove from; empty for all.
        now: UTC nanoseconds.
        dry_run: Plan without removing.

    Returns:
        Removed rows of each segment; rows under a hold are counted.

    Raises:
        VerificationError: A segment or a hold cannot be read; nothing was removed.
        EnvironmentFailure: The disk failed; the command may be repeated.
    """
    store.layout.refuse_remote()
    before = format_day(now // DAY_NS - days + 1)
    condition = RowCondition("source = ?", (source,)) if source else ALL_ROWS
    sweep_temporary_folders(store.layout)
    with store.log.lock():
        planned = plan_removal(
            store,
            lambda day: day < before,
            condition,
            build_hold_conditions(read_holds(store).values()),
        )
        if not dry_run and any(each.rows for each in planned):
            policy = RetentionPolicy(before, days, source, str(now))
            digest = store.put_object(RETENTION_KIND, msgspec.json.encode(policy), now)
            remove_rows(store, planned, "retention", digest, now)
    return planned


def build_hold_conditions(
    holds: Iterable[LegalHold],
) -> Callable[[str], RowCondition | None]:
    """Build a function that returns the condition of the held rows of a day."""
    every: Sequence[LegalHold] = tuple(holds)

    def get_condition(day: str) -> RowCondition | None:
        return join_conditions(
            each.build_condition() for each in every if each.covers_day(day)
        )

    return get_condition
