"""Read the times at which a credential was used in platform logs (SQL)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.store.segment_scope import SegmentScope

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class LoggedCredentialUse:
    """Logged use of a credential, in all regions.

    Attributes:
        count: Number of calls, denied and failed ones included.
        last: Time of the latest call, UTC nanoseconds; 0 for none.
        longest_pause: Longest time between two calls, in nanoseconds; 0 if there are
            fewer than two.
    """

    count: int
    last: int
    longest_pause: int


def read_credential_use(store: "EvidenceStore", credential: str) -> LoggedCredentialUse:
    """Read how often a credential was used, and its longest pause."""
    query = (
        "SELECT count(*), coalesce(max(t), 0), coalesce(max(t - before), 0) FROM ("
        "SELECT event_time AS t, lag(event_time) OVER (ORDER BY event_time) AS before "
        "FROM events e WHERE credential = ? AND written_by = 'platform')"
    )
    ((count, last, pause),) = store.run_query(
        query,
        [credential],
        scope=SegmentScope(alternatives=({"credential": {credential}},)),
    )
    return LoggedCredentialUse(
        cast("int", count), cast("int", last), cast("int", pause)
    )


def read_log_end(store: "EvidenceStore", source: str, scope: str) -> int:
    """Read the time of the last event of a log in a scope; 0 for none.

    Args:
        scope: The account or project.
    """
    query = (
        "SELECT coalesce(max(e.event_time), 0) FROM skimmed e "
        "WHERE e.source = ? AND e.scope = ? AND e.written_by = 'platform'"
    )
    ((until,),) = store.run_query(query, [source, scope])
    return cast("int", until)
