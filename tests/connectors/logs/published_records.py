"""Published records of detection rules, read by the connectors of their sources.

    python -m tests.connectors.logs.published_records

prints the counts of docs/log-sources.md, and each record that names a caller, an action
and an outcome of which its connector does not find all three.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import zstandard

from answerable.connectors.formats.log_format import RecordRefused, make_event_from_row
from answerable.connectors.registry import find_connector
from answerable.model.event import AuditEvent, EventOutcome

FILE = (
    Path(__file__).parents[4]
    / "shared/data/cloud-audit/panther/panther_tests_dev.jsonl.zst"
)
TIME = "2026-01-01T00:00:00Z"
# Log type: source, member of the time, records, stored, quarantined though timed,
# records with identity, action and outcome, and records that name all three.
COUNTS = {
    "AWS.CloudTrail": ("cloudtrail", "eventTime", 384, 359, 14, 354, 351),
    "Azure.MonitorActivity": ("azure-activity", "time", 199, 173, 0, 41, 41),
    "GCP.AuditLog": ("gcp-audit", "timestamp", 158, 109, 12, 129, 129),
    "Amazon.EKS.Audit": (
        "k8s-audit",
        "requestReceivedTimestamp",
        148,
        14,
        11,
        114,
        114,
    ),
    "Okta.SystemLog": ("okta", "published", 81, 63, 2, 72, 72),
    "GitHub.Audit": ("github-audit", "created_at", 64, 42, 0, 64, 64),
    "Azure.Audit": ("entra", "time", 39, 39, 0, 39, 39),
    "Anthropic.Activity": ("anthropic-audit", "created_at", 38, 38, 0, 38, 38),
    "OpenAI.Audit": ("openai-audit", "effective_at", 10, 10, 0, 10, 10),
}


# Members that name the caller and the outcome, by the vendors' documentation; an `&`
# joins members that are needed together. The outcome is always known where a record
# has an error or none, or is written after a success.
CALLERS = {
    "AWS.CloudTrail": (
        "userIdentity.arn",
        "userIdentity.invokedBy",
        "userIdentity.accountId&userIdentity.principalId",
        "userIdentity.accountId&userIdentity.userName",
        "userIdentity.sessionContext.sessionIssuer.userName",
    ),
    "Azure.MonitorActivity": (
        "caller",
        "identity.authorization.evidence.principalId",
        "identity.claims.appid",
        "identity.claims.name",
        "identity.claims.http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
        "identity.claims.http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
        "emailaddress",
        "identity.requester",
        "properties.log",
    ),
    "GCP.AuditLog": (
        "protoPayload.authenticationInfo.principalEmail",
        "protoPayload.authenticationInfo.principalSubject",
    ),
    "Amazon.EKS.Audit": ("user.username",),
    "Okta.SystemLog": ("actor",),
    "GitHub.Audit": ("actor",),
    "Azure.Audit": ("properties",),
    "Anthropic.Activity": ("actor",),
    "OpenAI.Audit": ("actor",),
}
OUTCOMES = {
    "Azure.MonitorActivity": (
        "resultType",
        "resultSignature",
        "statusCode",
        "properties.metricResponseType",
        "properties.log",
    ),
    "Amazon.EKS.Audit": ("responseStatus.code",),
    "Okta.SystemLog": ("outcome",),
}
ACTIONS = {
    "AWS.CloudTrail": ("eventName&eventSource",),
    "GCP.AuditLog": ("protoPayload.methodName",),
    "Amazon.EKS.Audit": ("verb",),
}


def has_member(value: Any, path: str) -> bool:
    """Find a member by its path, whatever the case of its name."""
    if not isinstance(value, dict):
        return False
    folded = {key.lower(): each for key, each in value.items()}
    if folded.get(path.lower()) not in (None, "", {}, []):
        return True
    head, dot, rest = path.partition(".")
    return bool(dot) and has_member(folded.get(head.lower()), rest)


def has_any(event: dict[str, Any], paths: tuple[str, ...]) -> bool:
    return not paths or any(
        all(has_member(event, each) for each in path.split("&")) for path in paths
    )


@cache
def published() -> tuple[dict[str, Any], ...]:
    packed = FILE.read_bytes()
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(packed).splitlines()
    return tuple(json.loads(line) for line in lines)


def parse(source: str, event: dict[str, Any]) -> AuditEvent | RecordRefused:
    package = find_connector(source).fetch.rpartition(".")[0]
    name = "log_format" if source == "cloudtrail" else "parse"
    log = import_module(f"{package}.{name}").FORMAT
    raw = json.dumps(event).encode()
    found = log.parse(raw, {"cluster": "c"}, make_event_from_row)
    assert isinstance(found, AuditEvent | RecordRefused)
    return found


@dataclass(frozen=True)
class ReadRecord:
    """Result for one record.

    Attributes:
        row: The published row.
        found: Event as published, or the reason of its quarantine.
        timed: Likewise, with a time if the record has none.
        is_whole: The event has an identity, an action and an outcome.
        is_named: The record names all three.
    """

    row: Mapping[str, Any]
    found: AuditEvent | RecordRefused
    timed: AuditEvent | RecordRefused
    is_whole: bool
    is_named: bool


def read_records(kind: str) -> Iterator[ReadRecord]:
    """Read the records of a log type."""
    source, time, *_ = COUNTS[kind]
    for row in published():
        if row["log_type"] != kind:
            continue
        found = timed = parse(source, row["event"])
        if isinstance(found, RecordRefused) and "time" in found.reason.lower():
            timed = parse(source, {**row["event"], time: TIME})
        is_whole = isinstance(timed, AuditEvent) and bool(
            timed.identity
            and timed.action
            and timed.outcome is not EventOutcome.UNKNOWN
        )
        members = (CALLERS, ACTIONS, OUTCOMES)
        is_named = all(has_any(row["event"], each.get(kind, ())) for each in members)
        yield ReadRecord(row, found, timed, is_whole, is_named)


def describe_miss(record: ReadRecord) -> str:
    """Describe what an event lacks."""
    if isinstance(record.timed, RecordRefused):
        return record.timed.reason
    lacking = {
        "caller": not record.timed.identity,
        "action": not record.timed.action,
        "outcome": record.timed.outcome is EventOutcome.UNKNOWN,
    }
    return f"no {', '.join(name for name, lacks in lacking.items() if lacks)}"


def main() -> None:
    """Print the counts of each log type, then the misses."""
    misses: list[str] = []
    totals: Counter[str] = Counter()
    sys.stdout.write(
        f"{'log type':22} {'records':>7} {'stored':>7} {'named':>6} {'yield':>6}\n"
    )
    for kind in COUNTS:
        records = list(read_records(kind))
        counts = {
            "records": len(records),
            "stored": sum(isinstance(each.found, AuditEvent) for each in records),
            "named": sum(each.is_named for each in records),
            "yield": sum(each.is_whole for each in records),
            "both": sum(each.is_named and each.is_whole for each in records),
        }
        totals.update(counts)
        shown = "{records:7} {stored:7} {named:6} {yield:6}".format(**counts)
        sys.stdout.write(f"{kind:22} {shown}\n")
        misses += [
            f"{each.row['rule_id']} ({each.row['test']}): {describe_miss(each)}"
            for each in records
            if each.is_named and not each.is_whole
        ]
    share = totals["both"] / totals["named"]
    shown = "{records:7} {stored:7} {named:6} {yield:6}".format(**totals)
    sys.stdout.write(f"{'all':22} {shown}\n")
    sys.stdout.write(f"of those that name all three: {totals['both']}, {share:.1%}\n")
    sys.stdout.write(f"of all {len(published())} records without a connector: ")
    sys.stdout.write(f"{len(published()) - totals['records']}\n")
    sys.stdout.write("\n".join(misses) + "\n")


if __name__ == "__main__":
    main()
