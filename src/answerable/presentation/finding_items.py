"""Build the items of the `findings` document."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from answerable.model.documents.finding import (
    BreaksItem,
    FindingEvidenceItem,
    FindingItem,
    FixItem,
)
from answerable.model.inventory import Inventory
from answerable.posture.facts import NoLogs, UseView
from answerable.posture.reviews import NO_REVIEWS, FindingReviews
from answerable.posture.rule import (
    Evidence,
    Finding,
    NotEvaluated,
    ValueEdit,
    get_place_in_source,
)
from answerable.posture.rule_catalogue import RULES_BY_ID
from answerable.posture.rule_engine import Posture
from answerable.presentation.inventory_items import format_optional_time
from answerable.presentation.scanned_owners import build_scanned_owner_item

LineFinder = Callable[[str], int | None]
DiffBuilder = Callable[[str, str, ValueEdit], str]
NotKnown = Literal["not-known"]


def find_no_line(place: str) -> int | None:
    """Return no line: the file is not read."""
    return None


def build_no_diff(place: str, path: str, edit: ValueEdit) -> str:
    """Return no diff: the file is not read."""
    return ""


@dataclass(frozen=True, slots=True)
class FindingContext:
    """Data that items of one snapshot share.

    Attributes:
        find_line: Returns the line of a place; None if it is not known.
        build_diff: Returns the edit of the file at a place; empty if it is not known.
        use: Logged use of identities.
        reviews: Reviewed suppressions and assignments.
        now: UTC nanoseconds, at which suppressions may have ended.
    """

    inventory: Inventory
    posture: Posture
    find_line: LineFinder = find_no_line
    build_diff: DiffBuilder = build_no_diff
    use: UseView = field(default_factory=NoLogs)
    reviews: FindingReviews = NO_REVIEWS
    now: int = 0


def build_finding_item(finding: Finding, context: FindingContext) -> FindingItem:
    """Build the item of a finding."""
    rule = RULES_BY_ID[finding.rule]
    cause = context.posture.get_choke_point(finding)
    suppressed = context.reviews.get_suppression(finding.id, context.now)
    item: FindingItem = {
        "severity": finding.severity.severity.value[0],
        "title": finding.title,
        "subject": finding.subject,
        "owner": build_scanned_owner_item(context.inventory, finding.subject),
        "rule": finding.rule,
        "id": finding.id,
        "state": "open" if suppressed is None else "suppressed",
        "platform": finding.platform,
        "place": finding.place,
        "score": finding.severity.score,
        "because": {
            "trigger": finding.severity.trigger.value[0],
            "reach": finding.severity.reach.value[0],
            "held": sorted(each.value for each in finding.severity.held),
        },
        "evidence": [
            _build_evidence_item(each, context.find_line) for each in finding.evidence
        ],
        "path": list(finding.path),
        "fix": _build_fix_item(finding, context),
        "breaks": _build_breaks_item(context.use, finding.identity),
        "owasp": list(rule.owasp),
        "page": rule.page,
        "missing": [],
        "choke_point": {
            "id": cause,
            "findings": context.posture.shared_causes[cause],
        }
        if cause
        else None,
        "assigned": context.reviews.assigned.get(finding.id),
    }
    if suppressed is not None:
        item["suppression"] = {
            "reason": suppressed.reason,
            "owner": suppressed.owner,
            "until": suppressed.until,
            "signed": suppressed.digest or None,
        }
    return item


def _build_fix_item(finding: Finding, context: FindingContext) -> FixItem:
    """Build the repair, with the edit of the file itself if it can be read."""
    fix, place, diff = finding.fix, finding.place, ""
    if fix.edit is not None:
        path = get_place_in_source(place, finding.evidence[0].source)
        diff = context.build_diff(place, path.partition("#")[0], fix.edit)
    return {"text": fix.text, "command": fix.command, "diff": diff or fix.diff}


def _build_breaks_item(use: UseView, identity: str) -> BreaksItem | NotKnown:
    """Build the logged use of an identity; `not-known` without its log."""
    found = use.get_use(identity) if identity else None
    if found is None:
        return "not-known"
    return {"last_used": format_optional_time(found.last), "count": found.count}


def build_not_evaluated_item(
    result: NotEvaluated, context: FindingContext
) -> FindingItem:
    """Build the item of a rule that could not be evaluated."""
    rule = RULES_BY_ID[result.rule]
    return {
        "severity": "not-known",
        "title": f"{rule.title}: not evaluated, because of missing data: "
        f"{result.missing}",
        "subject": result.subject,
        "owner": build_scanned_owner_item(context.inventory, result.subject),
        "rule": result.rule,
        "id": result.id,
        "state": "not-evaluated",
        "platform": result.platform,
        "place": "",
        "score": 0,
        "because": None,
        "evidence": [],
        "path": [],
        "fix": {
            "text": f"Collect the missing data: {result.missing}.",
            "command": _format_source_command(result.source),
            "diff": "",
        },
        "breaks": "not-known",
        "owasp": list(rule.owasp),
        "page": rule.page,
        "missing": [
            {"what": result.missing, "source": each}
            for each in result.source.split() or [""]
        ],
        "choke_point": None,
        "assigned": None,
    }


def _format_source_command(source: str) -> str:
    """Return the command that reads a source; empty if none is known."""
    if not source:
        return ""
    if source.startswith("config:"):
        return f"answerable findings --config {source.partition(':')[2]}"
    logs = ("cloudtrail", "k8s-audit", "github-audit", "gcp-audit")
    command = "ingest" if source.partition(":")[0] in logs else "scan"
    return f"answerable {command} {source}"


def _build_evidence_item(
    evidence: Evidence, find_line: LineFinder
) -> FindingEvidenceItem:
    """Build the item of a fact, with the file and line of its place."""
    file = evidence.place.partition("#")[0] if evidence.place.startswith("/") else ""
    return {
        "text": evidence.text,
        "place": evidence.place,
        "file": file,
        "line": find_line(evidence.place) if file else None,
        "source": evidence.source,
        "written_by": evidence.written_by.value,
    }
