"""`/findings/trend`: numbers of findings of the scans of 30 days."""

import subprocess
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, cast

import msgspec

from answerable.model.documents.finding_trend import FindingTrendItem
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.errors import EnvironmentFailure
from answerable.usecases.posture.finding_trend import list_finding_trend
from answerable.web.command_process import run_command_as_json
from answerable.web.pages.findings import FINDING_PERMISSIONS
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import FINDING_TREND, StoreView
from answerable.web.visitor import Visitor

_TIMEOUT = 3600  # seconds for the computation in another process
_LAST, _DAYS = 10, 30  # snapshots, and the days over which they are spread
_INLINE_IDENTITIES = 500  # identities up to which a page waits for the trend
_SEVERITIES: tuple[Literal["critical", "high", "medium", "low"], ...] = (
    "critical",
    "high",
    "medium",
    "low",
)


class _TrendAnswer(msgspec.Struct):
    """The parts of the command's answer that the page shows."""

    items: list[FindingTrendItem]
    coverage: CoverageRecord


def get_finding_trend(cache: StoreCache) -> Document | None:
    """Return the trend, or that before the last change; None if there is none yet.

    In a large inventory, it is computed in the background.
    """
    view = cache.current_view()
    if _is_small(view) or view.has_derived(FINDING_TREND):
        return _compute_trend(cache)
    cache.start_in_background(FINDING_TREND, _compute_trend)
    return cache.get_newest(FINDING_TREND, Document)


def _is_small(view: StoreView) -> bool:
    """Return whether a page waits for the trend of an inventory."""
    return len(view.inventory.facts.identities_by_id()) <= _INLINE_IDENTITIES


class TrendSummary(NamedTuple):
    """Open findings of the scans of 30 days, oldest first, and the changes of the newest.

    Attributes:
        opened: Number of open findings of each scan.
        new: Findings that the scan before did not have.
        resolved: Findings that the newest scan no longer has.
        unread: Findings of sources that the newest scan did not read.
    """

    opened: Sequence[int]
    new: int
    resolved: int
    unread: int


def summarize_trend(cache: StoreCache) -> TrendSummary | None:
    """Summarize the trend for the overview; None if it is not computed yet.

    The overview never waits for it, because each of ten scans is evaluated. In a large
    inventory only `/findings/trend` starts the computation.
    """
    view = cache.current_view()
    if _is_small(view) and not view.has_derived(FINDING_TREND):
        cache.start_in_background(FINDING_TREND, _compute_trend)
    document = cache.get_newest(FINDING_TREND, Document)
    items = cast("Sequence[FindingTrendItem]", document.items if document else ())
    newest = items[-1] if items else None
    if newest is None or newest["new"] is None:
        return None
    return TrendSummary(
        [sum(each[name] for name in _SEVERITIES) for each in items],
        newest["new"],
        newest["resolved"] or 0,
        newest["unread"] or 0,
    )


class FindingAge(NamedTuple):
    """First scan of a finding among those compared.

    Attributes:
        since: Time of this scan, RFC 3339.
        is_oldest: Whether it is the oldest compared scan, so the finding may be older.
    """

    since: str
    is_oldest: bool


def read_ages(cache: StoreCache) -> Mapping[str, FindingAge]:
    """Read the ages of the current findings, by id, from the last computed trend.

    A finding that was resolved in between counts from its last appearance.
    """
    document = cache.get_newest(FINDING_TREND, Document)
    items = cast("Sequence[FindingTrendItem]", document.items if document else ())
    ages: dict[str, FindingAge] = {}
    for at, item in enumerate(items):
        day, _, clock = item["snapshot"].partition("T")
        age = FindingAge(f"{day}T{clock[:8].replace('-', ':')}Z", at == 0)
        ages |= dict.fromkeys(item["new_ids"], age)
    return ages


def _compute_trend(cache: StoreCache) -> Document:
    """Compute the trend once for each state of the store; if it is large, elsewhere."""

    def compute(view: StoreView) -> Document:
        if not _is_small(view):
            return _compute_trend_in_process(cache)
        with cache.open_store() as store:
            return list_finding_trend(
                store,
                now=view.at,
                last=_LAST,
                days=_DAYS,
                progress=lambda _done, _total, _what: None,
            )

    return cache.get_derived(FINDING_TREND, compute)


def _compute_trend_in_process(cache: StoreCache) -> Document:
    """Compute the trend with the command, which takes no time from other pages.

    Raises:
        EnvironmentFailure: The command gave no answer.
    """
    words = ("findings", "trend", "--last", str(_LAST), "--days", str(_DAYS))
    try:
        answer = run_command_as_json(cache.root, *words, timeout=_TIMEOUT)
        found = msgspec.json.decode(answer, type=_TrendAnswer)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise EnvironmentFailure(
            f"the findings of each scan were not computed ({type(error).__name__})",
            "run: answerable findings trend",
        ) from None
    return Document("finding-trend", found.items, found.coverage)


def show_trend(
    cache: StoreCache, _visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """Show the numbers of findings of the scans of 30 days, newest first."""
    document = get_finding_trend(cache)
    items = cast("Sequence[FindingTrendItem]", document.items if document else ())
    values = {
        "items": list(reversed(items)),
        "document": document,
        "is_current": cache.current_view().has_derived(FINDING_TREND),
        "coverage": document.coverage if document else None,
    }
    return PageAnswer("finding_trend.html", "Findings by scan", values)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/findings/trend", show_trend, FINDING_PERMISSIONS),
)
