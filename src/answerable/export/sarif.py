"""Convert findings to SARIF 2.1.0, line by line.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. A rule that was
not evaluated is a result of kind `open`: "the tool concluded that there was insufficient
information to decide" (section 3.27.9).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from answerable.model.documents.finding import FindingItem
from answerable.model.documents.shared_shapes import CoverageRecord

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "answerable/finding/v1"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
_SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}


class ExportedRule(NamedTuple):
    """Rule of findings, as a reporting descriptor needs it."""

    id: str
    title: str
    detail: str
    page: str
    owasp: tuple[str, ...]


def iterate_sarif_lines(
    items: Iterable[FindingItem],
    rules: Sequence[ExportedRule],
    coverage: CoverageRecord,
    version: str,
) -> Iterator[str]:
    """Yield the lines of a SARIF log; memory does not grow with the items."""
    driver = {
        "name": "answerable",
        "semanticVersion": version,
        "rules": [_build_rule(each) for each in rules],
    }
    yield f'{{"$schema": {_dump_ascii_json(SCHEMA)}, "version": "2.1.0", "runs": [{{'
    yield f'"tool": {{"driver": {_dump_ascii_json(driver)}}},'
    yield f'"invocations": [{_dump_ascii_json(_build_invocation(coverage))}],'
    yield '"columnKind": "unicodeCodePoints",'
    yield '"results": ['
    numbers = {each.id: number for number, each in enumerate(rules)}
    before = ""
    for item in items:
        yield f"{before}{_dump_ascii_json(_build_result(item, numbers))}"
        before = ","
    yield "]}]}"


def _build_rule(rule: ExportedRule) -> Mapping[str, object]:
    """Build a reporting descriptor."""
    return {
        "id": rule.id,
        "name": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.detail},
        "help": {"text": f"{rule.detail}\n\nSee {rule.page}."},
        "properties": {"tags": ["security", *rule.owasp]},
    }


def _build_invocation(coverage: CoverageRecord) -> Mapping[str, object]:
    """Build the invocation, with a notification for each source read in part."""
    notes = [
        {
            "level": "warning",
            "message": {"text": f"{source['source']}: {problem}"},
        }
        for source in coverage["sources"]
        for problem in source["problems"]
    ]
    notes += [
        {"level": "note", "message": {"text": f"not collected: {word}"}}
        for word in coverage["not_collected"]
    ]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _build_result(
    item: FindingItem, numbers: Mapping[str, int]
) -> Mapping[str, object]:
    """Build a result."""
    evaluated = item["state"] != "not-evaluated"
    result: dict[str, object] = {
        "ruleId": item["rule"],
        "kind": "fail" if evaluated else "open",
        "level": _LEVELS.get(item["severity"], "warning") if evaluated else "none",
        "message": {"text": _describe_finding(item)},
        "locations": _build_locations(item),
        "partialFingerprints": {FINGERPRINT: item["id"]},
        "properties": {
            "severity": item["severity"],
            "subject": item["subject"],
            "owner": item["owner"]["person"] or "",
            "state": item["state"],
            **(
                {"security-severity": _SECURITY_SEVERITY[item["severity"]]}
                if item["severity"] in _SECURITY_SEVERITY
                else {}
            ),
        },
    }
    if item["rule"] in numbers:
        result["ruleIndex"] = numbers[item["rule"]]
    suppression = item.get("suppression")
    if suppression is not None:
        reason = f"{suppression['reason']} ({suppression['owner']}, until "
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": f"{reason}{suppression['until']})",
            }
        ]
    return result


def _describe_finding(item: FindingItem) -> str:
    """Describe a finding with its repair, or the data that a rule lacks."""
    lines = [item["title"]]
    lines += [f"missing: {each['what']} ({each['source']})" for each in item["missing"]]
    if item["fix"]["text"]:
        lines.append(item["fix"]["text"])
    return "\n".join(lines)


def _build_locations(item: FindingItem) -> list[Mapping[str, object]]:
    """Build the places of the evidence; the subject where no file says so."""
    found: dict[tuple[str, int | None], Mapping[str, object]] = {}
    for each in item["evidence"]:
        key = each["file"], each["line"]
        if not each["file"] or key in found:
            continue
        physical: dict[str, object] = {
            "artifactLocation": {"uri": _build_uri(each["file"], each["source"])}
        }
        if each["line"]:
            physical["region"] = {"startLine": each["line"]}
        found[key] = {"physicalLocation": physical}
    subject = {"logicalLocations": [{"fullyQualifiedName": item["subject"]}]}
    return list(found.values()) or [subject]


def _build_uri(file: str, source: str) -> str:
    """Return the URI of a file: relative to a scanned project, else absolute."""
    _, _, folder = source.partition(":")
    root = f"{folder.rstrip('/')}/"
    if source.startswith("repo:") and file.startswith(root):
        return quote(file[len(root) :])
    return f"file://{quote(file)}" if file.startswith("/") else quote(file)


def _dump_ascii_json(value: object) -> str:
    """Dump a value as ASCII JSON on one line."""
    return json.dumps(value, ensure_ascii=True)
