"""Remove events that are older than a number of days; legal holds keep theirs."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from answerable.model.errors import UsageError
from answerable.model.time_units import DAY_NS
from answerable.store.change_lock import lock_log
from answerable.store.fsck_objects import refuse_unlisted_objects
from answerable.store.legal_holds import LegalHold, read_holds
from answerable.store.row_conditions import ALL_ROWS, RowCondition, join_conditions
from answerable.store.row_removal import PlannedRemoval, plan_removal, remove_rows
from answerable.store.segment_files import delete_unfinished_files
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
        UsageError: The log has no entry of a day that is kept: the clock is wrong.
        VerificationError: A segment or a hold cannot be read, or the log lacks an
            object that may be a hold; nothing was removed.
        EnvironmentFailure: The disk failed; the command may be repeated.
    """
    store.layout.refuse_remote()
    before = format_day(now // DAY_NS - days + 1)
    condition = RowCondition("source = ?", (source,)) if source else ALL_ROWS
    if not dry_run:
        sweep_temporary_folders(store.layout)
    with lock_log(store, dry_run=dry_run):
        _refuse_wrong_clock(store, before)
        refuse_unlisted_objects(store)
        if not dry_run:
            delete_unfinished_files(store.layout, store.log.entries())
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


def _refuse_wrong_clock(store: "EvidenceStore", before: str) -> None:
    """Refuse to remove every day up to that of the newest entry of the log.

    A clock that is ahead would remove all events.
    """
    newest = max((int(each.at) for each in store.log.entries()), default=0)
    if newest and (day := format_day(newest // DAY_NS)) < before:
        raise UsageError(
            f"the newest entry of the log is of {day}, and {before} is the first day "
            "to keep: is the clock ahead?",
            "check the clock, then add an entry of today: answerable scan",
        )


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
