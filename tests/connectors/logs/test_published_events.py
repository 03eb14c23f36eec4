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
# and records with identity, action and outcome.
COUNTS = {
    "AWS.CloudTrail": ("cloudtrail", "", 384, 359, 25, 337),
    "Azure.MonitorActivity": ("azure-activity", "time", 199, 173, 0, 40),
    "GCP.AuditLog": ("gcp-audit", "timestamp", 158, 108, 14, 127),
    "Amazon.EKS.Audit": ("k8s-audit", "requestReceivedTimestamp", 148, 14, 11, 114),
    "Okta.SystemLog": ("okta", "published", 81, 63, 2, 72),
    "GitHub.Audit": ("github-audit", "created_at", 64, 42, 0, 64),
    "Azure.Audit": ("entra", "time", 39, 39, 0, 38),
    "Anthropic.Activity": ("anthropic-audit", "created_at", 38, 38, 0, 38),
    "OpenAI.Audit": ("openai-audit", "effective_at", 10, 10, 0, 10),
}


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
    source, time, records, stored, unreadable, whole = COUNTS[kind]
    of_kind = [row["event"] for row in published() if row["log_type"] == kind]
    found = [parse(source, event) for event in of_kind]
    refused = [each for each in found if isinstance(each, RecordRefused)]
    assert len(found) == records
    assert len(found) - len(refused) == stored
    assert all(each.reason for each in refused)
    timed = [
        parse(source, {**event, time: TIME})
        if isinstance(each, RecordRefused) and "time" in each.reason and time
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
