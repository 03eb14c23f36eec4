"""Build the page sections for ownership, activity and reach of a subject."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.lineage.search_query import SearchQuery
from answerable.model.documents.owners import OwnerEvidenceItem, OwnershipItem
from answerable.model.documents.permission_usage import PatternUsageItem
from answerable.model.documents.shared_shapes import CoverageRecord, ReachItem
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import AnswerableError
from answerable.presentation.owner_evidence import (
    OWNER_STATES,
    describe_evidence_validity,
)
from answerable.presentation.scanned_owners import build_scanned_owner_item
from answerable.presentation.unknown_permission_text import describe_unknown_verdict
from answerable.services.lineage import lineage_search
from answerable.services.lineage.recorded_calls import (
    CallCount,
    LogCoverage,
    count_recorded_calls,
    read_log_coverage,
)
from answerable.usecases.aws_permissions.permission_usage import list_permission_usage
from answerable.usecases.inventory.ownership import build_ownership_item
from answerable.usecases.lineage import search_events
from answerable.usecases.reach import permissions
from answerable.web.pages import inventory_list_definitions
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

MAX_EVENTS = 15
MAX_ROWS = 12
_NOT_SCANNED = "no scan has it, so evidence for an owner may be missing"
_MAX_SCANNED = 120  # rows of reach; the most severe are shown
_MAX_IDENTITIES = 8  # identities whose rows are computed


@dataclass(frozen=True, slots=True)
class OwnerSection:
    """Ownership section.

    Attributes:
        meaning: Its state as text.
        evidence: For each candidate: evidence with whether and why it counts.
    """

    item: OwnershipItem
    meaning: str
    evidence: Sequence[tuple[str, float, Sequence[tuple[OwnerEvidenceItem, str]]]]


@dataclass(frozen=True, slots=True)
class ActivitySection:
    """Activity section.

    Attributes:
        told: Whether the visitor may see it.
        more: Link to all of them.
        left_out: Number of hidden events among the newest.
    """

    told: bool
    rows: Sequence[TraceItem]
    more: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class ReachSection:
    """Reach section.

    Attributes:
        total: Number of rows scanned.
        verdicts: Count of each verdict.
        unknown: Why nothing is known, empty otherwise.
        more: Whether there are more rows.
    """

    rows: Sequence[ReachItem]
    total: int
    verdicts: Mapping[str, int]
    coverage: CoverageRecord | None
    unknown: str = ""
    every: Sequence[ReachItem] = ()
    more: bool = False


def build_owner_section(cache: StoreCache, subject: str) -> OwnerSection:
    """Build the ownership section: owner, candidates and evidence."""
    now = cache.now
    inventory = inventory_list_definitions.get_current_inventory(cache)
    item = build_ownership_item(inventory, subject)
    item["state"] = build_scanned_owner_item(inventory, subject)["state"]
    return OwnerSection(
        item,
        OWNER_STATES.get(item["state"], _NOT_SCANNED),
        [
            (
                candidate["person"],
                candidate["score"],
                [
                    (each, describe_evidence_validity(each, now))
                    for each in candidate["evidence"]
                ],
            )
            for candidate in item["candidates"]
        ],
    )


def build_activity_section(
    cache: StoreCache, visitor: Visitor, field: str, key: str, *subjects: str
) -> ActivitySection:
    """Build the activity section: the newest events that the visitor may see.

    Args:
        field: Query field for the subject.
        subjects: Subjects whose activity this is.
    """
    query = SearchQuery(((field, key),))
    more = build_url("/trace", q=query.format_as_text)
    if not visitor.can_see_activity_of(*subjects):
        return ActivitySection(told=False, rows=(), more="")
    view = cache.current_view()
    only = None if WebPermission.INVESTIGATE in visitor.may else visitor.owns
    scope = lineage_search.SearchScope(view.inventory, view.chains, only)
    try:
        with cache.open_store() as store:
            event_filter = lineage_search.build_event_filter(
                scope, query, now=cache.now
            )
            document, _ = search_events.search_lineage_rows(
                store, scope, event_filter, now=cache.now, limit=MAX_EVENTS
            )
    except AnswerableError:  # no log was ingested, so there are no events
        return ActivitySection(told=True, rows=(), more=more)
    return ActivitySection(True, cast("Sequence[TraceItem]", document.items), more)


def join_activity_sections(sections: Sequence[ActivitySection]) -> ActivitySection:
    """Join the activity of several ids of one subject: the newest events of all."""
    first = sections[0]
    rows = {row["event_id"]: row for each in sections for row in each.rows}
    newest = sorted(rows.values(), key=lambda row: row["event_time"], reverse=True)
    return replace(first, rows=newest[:MAX_EVENTS])


def build_reach_section(cache: StoreCache, subject: str) -> ReachSection:
    """Build the reach section: the most severe permissions, and counts."""
    try:
        listed = permissions.list_subject_permissions_page(
            cache.current_view().inventory,
            subject,
            now=cache.now,
            max_rows=_MAX_SCANNED,
            max_identities=_MAX_IDENTITIES,
        )
    except AnswerableError as error:
        return ReachSection((), 0, {}, None, error.message)
    document = listed.document
    every = cast("Sequence[ReachItem]", document.items)
    verdicts: dict[str, int] = {}
    for each in every:
        verdicts[each["verdict"]] = verdicts.get(each["verdict"], 0) + 1
    ranked = sorted(every, key=_severity_key)
    if set(verdicts) == {"not-known"}:
        why = dict.fromkeys(
            describe_unknown_verdict(u) for row in every for u in row["unknown"]
        )
        return ReachSection((), 0, {}, document.coverage, "; ".join(why), every=every)
    return ReachSection(
        ranked[:MAX_ROWS],
        len(every),
        verdicts,
        document.coverage,
        every=every,
        more=bool(listed.after),
    )


def _severity_key(row: ReachItem) -> tuple[bool, bool, bool, int]:
    """Return the severity sort key: admin, any resource, unconditional, few steps."""
    return (
        not row["admin"],
        row["resource"] != "*",
        row["verdict"] != "always",
        len(row["path"]),
    )


def compare_permission_usage(
    cache: StoreCache,
    subject: str,
    section: ReachSection,
    accounts: Collection[str],
    *,
    show_calls: bool,
) -> list[PatternUsageItem]:
    """Compare granted permissions of a subject with its recorded calls.

    Args:
        accounts: Accounts whose logs record its calls.
        show_calls: Whether its calls may be shown; else only permissions are.
    """
    view = cache.current_view()
    if not show_calls:
        silent = LogCoverage({}, load_catalogue(()), {})
        return list_permission_usage(
            subject, section.every, (), silent, frozenset(accounts)
        )

    def count_calls() -> Sequence[CallCount]:
        with cache.open_store() as store:
            return count_recorded_calls(store, view.inventory, subject, view.chains)

    calls = cache.recorded_calls.get((cache.version(), subject), count_calls)
    logs = cache.get_derived("trail", lambda _: _read_log_coverage(cache))
    named = [row["action"] for row in section.every] + [call.action for call in calls]
    services = {each.partition(":")[0] for each in named}
    plain = frozenset(each for each in services if "*" not in each and "?" not in each)
    trail = LogCoverage(logs.logs, load_catalogue(plain), logs.days)
    return list_permission_usage(
        subject, section.every, calls, trail, frozenset(accounts)
    )


def _read_log_coverage(cache: StoreCache) -> LogCoverage:
    """Read which services and days the stored logs cover."""
    with cache.open_store() as store:
        return read_log_coverage(store, load_catalogue(()))
