"""Count the successful calls of identities by action and resources (SQL)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.store.event_columns import build_fact_sql

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Resources of data events may be many; an answer without some of them would be wrong.
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class ResourceCallCount:
    """Successful calls of one action on the same resources.

    Attributes:
        action: The call as logged.
        authorised_by: Action that IAM checks, if its name differs; else empty.
        resources: Resources that the log names.
        passed_roles: Roles that the call passed to a service.
        invoked_by: Service that made the call for the identity; else empty.
        last: Time of the latest call, UTC nanoseconds.
    """

    action: str
    authorised_by: str
    resources: tuple[str, ...]
    passed_roles: tuple[str, ...]
    invoked_by: str
    count: int
    last: int


def count_calls_by_resource(
    store: "EvidenceStore", identities: Collection[str], *, since: int, until: int
) -> list[ResourceCallCount]:
    """Count the successful platform calls of some identities, by action and resources.

    Args:
        identities: Identities as spelled in events.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.

    Returns:
        At most `MAX_ROWS` + 1 rows.
    """
    marks = ", ".join("?" for _ in identities)
    facts = ", ".join(
        build_fact_sql(name, "''")
        for name in ("authorised_by", "passed_roles", "invoked_by")
    )
    # Sign-ins and events of services themselves are no calls that IAM authorises.
    kind = build_fact_sql("event_type", "''")
    query = (
        f"SELECT action, resource, resources, {facts}, count(*), max(event_time) "  # noqa: S608 - ours
        f"FROM events e WHERE identity IN ({marks}) AND event_time >= ? "
        "AND event_time < ? AND written_by = 'platform' AND decision_id = '' "
        f"AND outcome = 'success' AND {kind} IN ('', 'AwsConsoleAction') GROUP BY ALL ORDER BY ALL LIMIT {MAX_ROWS + 1}"
    )
    rows = store.run_query(query, [*identities, since, until])
    return [
        ResourceCallCount(
            action=cast("str", action),
            authorised_by=cast("str", authorised_by),
            resources=tuple(
                filter(None, (cast("str", first), *cast("list[str]", more)))
            ),
            passed_roles=tuple(cast("str", roles).split()),
            invoked_by=cast("str", invoked_by),
            count=cast("int", count),
            last=cast("int", last),
        )
        for action, first, more, authorised_by, roles, invoked_by, count, last in rows
    ]


def list_identities_with_prefix(store: "EvidenceStore", part: str) -> list[str]:
    """List the identities of platform events whose name contains a text."""
    query = (
        "SELECT DISTINCT identity FROM skimmed e WHERE contains(identity, ?) "
        "AND written_by = 'platform' ORDER BY identity"
    )
    return [cast("str", each) for (each,) in store.run_query(query, [part])]
