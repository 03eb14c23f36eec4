"""Published records of detection rules: each is stored, or quarantined with a reason.

The counts are those of docs/log-sources.md.
"""

import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import zstandard

from answerable.connectors.formats.log_format import RecordRefused, make_event_from_row
from answerable.connectors.registry import find_connector
from answerable.model.event import AuditEvent, EventOutcome

FILE = "cloud-audit/panther/panther_tests_dev.jsonl.zst"
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
    path = Path(__file__).parents[4] / "shared" / "data" / FILE
    if not path.exists():
        pytest.skip("shared data not present")
    packed = path.read_bytes()
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


@pytest.mark.parametrize("kind", COUNTS)
def test_each_record_is_stored_or_quarantined_with_a_reason(kind: str) -> None:
    source, time, records, stored, unreadable, whole, named = COUNTS[kind]
    of_kind = [row["event"] for row in published() if row["log_type"] == kind]
    found = [parse(source, event) for event in of_kind]
    refused = [each for each in found if isinstance(each, RecordRefused)]
    assert len(found) == records
    assert len(found) - len(refused) == stored
    assert all(each.reason for each in refused)
    timed = [
        parse(source, {**event, time: TIME})
        if isinstance(each, RecordRefused) and "time" in each.reason.lower()
        else each
        for event, each in zip(of_kind, found, strict=True)
    ]
    read = [each for each in timed if isinstance(each, AuditEvent)]
    assert len(timed) - len(read) == unreadable
    full = [
        each
        for each in read
        if each.identity and each.action and each.outcome is not EventOutcome.UNKNOWN
    ]
    assert len(full) == whole
    carried = [
        each in full
        for event, each in zip(of_kind, timed, strict=True)
        if all(has_any(event, t.get(kind, ())) for t in (CALLERS, ACTIONS, OUTCOMES))
    ]
    assert len(carried) == named
    assert sum(carried) >= 0.95 * len(carried)
