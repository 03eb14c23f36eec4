"""Compare the findings of consecutive snapshots: new, resolved, or not read again."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from answerable.model.documents.finding_trend import FindingTrendItem
from answerable.model.inventory import Inventory, SourceCoverage
from answerable.posture.rule import NotEvaluated
from answerable.services.posture.finding_documents import FindingItems

_FILES = ("home", "repo")  # connectors whose location is the place of the findings


@dataclass(frozen=True, slots=True)
class SnapshotFindings:
    """Findings of one snapshot, reduced to what a comparison needs.

    Attributes:
        keys: Rule, platform and subject of each finding, by id.
        counts: Open findings by severity.
        suppressed: Number of accepted findings.
        missing: Rules without data: rule and subject or platforms.
        coverage: Read sources.
    """

    name: str
    keys: Mapping[str, tuple[str, str, str]]
    counts: Mapping[str, int]
    suppressed: int
    missing: frozenset[tuple[str, str]]
    coverage: tuple[SourceCoverage, ...]

    def has_read(self, source: SourceCoverage) -> bool:
        """Return whether this snapshot read a source of another one as completely.

        A file of a platform may have another name: it counts by the accounts, clusters
        or organizations that it covers.
        """
        known = {(each.place, each.kind) for each in source.problems}
        return any(
            known.issuperset((problem.place, problem.kind) for problem in each.problems)
            and (
                each.source == source.source
                or (
                    each.connector == source.connector
                    and each.connector not in _FILES
                    and bool(source.held)
                    and set(source.held) <= set(each.held)
                )
            )
            for each in self.coverage
        )


def summarize_findings(
    name: str, inventory: Inventory, found: FindingItems
) -> SnapshotFindings:
    """Count the findings of a snapshot by severity, with their ids, for the trend."""
    reviews, now = found.context.reviews, found.context.now
    keys: dict[str, tuple[str, str, str]] = {}
    counts: Counter[str] = Counter()
    suppressed, missing = 0, set()
    for each in found.results:
        if isinstance(each, NotEvaluated):
            missing |= {(each.rule, part) for part in each.subject.split(", ")}
            continue
        keys[each.id] = (each.rule, each.platform, each.subject)
        if reviews.get_suppression(each.id, now) is None:
            counts[each.severity.severity.value[0]] += 1
        else:
            suppressed += 1
    return SnapshotFindings(
        name, keys, counts, suppressed, frozenset(missing), inventory.coverage
    )


def build_trend_items(
    snapshots: Iterable[SnapshotFindings],
) -> list[FindingTrendItem]:
    """Build the items of snapshots, oldest first."""
    items: list[FindingTrendItem] = []
    before: SnapshotFindings | None = None
    for each in snapshots:
        items.append(_build_item(each, before))
        before = each
    return items


def _build_item(
    now: SnapshotFindings, before: SnapshotFindings | None
) -> FindingTrendItem:
    """Build the item of a snapshot, compared with the one before it."""
    new_ids = sorted(now.keys)
    resolved: int | None = None
    unread: int | None = None
    unread_sources: list[str] = []
    if before is not None:
        unread_sources = sorted(
            each.source for each in before.coverage if not now.has_read(each)
        )
        gone = [found for key, found in before.keys.items() if key not in now.keys]
        # A finding may rest on several sources: without one, none is resolved.
        unread = sum(1 for e in gone if unread_sources or _lacks_data(e, now))
        resolved = len(gone) - unread
        new_ids = sorted(now.keys.keys() - before.keys.keys())
    return {
        "snapshot": now.name,
        "critical": now.counts.get("critical", 0),
        "high": now.counts.get("high", 0),
        "medium": now.counts.get("medium", 0),
        "low": now.counts.get("low", 0),
        "suppressed": now.suppressed,
        "new": None if before is None else len(new_ids),
        "new_ids": new_ids,
        "resolved": resolved,
        "unread": unread,
        "not_evaluated": len(now.missing),
        "missing_sources": unread_sources,
    }


def _lacks_data(finding: tuple[str, str, str], now: SnapshotFindings) -> bool:
    """Return whether the rule of a finding was not evaluated now."""
    rule, platform, subject = finding
    return bool({(rule, platform), (rule, subject)} & now.missing)
