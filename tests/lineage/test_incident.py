"""One synthetic incident, told by four logs and the records of our own services.

Ana starts the triage agent. It gets a token of our token service, calls GitHub and the
cluster through the gateway with tokens made for each, and reads a Secret there. The
person behind the AWS session of a colleague's call is known from CloudTrail alone.
"""

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from answerable.model.event import AuditEvent
from answerable.model.ids import build_event_id
from answerable.model.provenance import WrittenBy
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.lineage.count_events import count_by_fields
from answerable.usecases.lineage.find_gateway_bypasses import find_bypassing_events
from answerable.usecases.lineage.trace import trace_events
from tests.connectors.logs.agent_samples import CLAUDE_CODE
from tests.connectors.logs.samples import GITHUB, K8S
from tests.lineage.conftest import NOW, keep, made
from tests.lineage.test_token_service import digest, record, token

AGENT = "agent:declared/triage"
ANA = "person:ana@corp.example"
PUSH, KUBECTL = "tool:mcp/github/push", "tool:mcp/cluster/get_secret"
AT = NOW - 10**12 + 50 * 10**9  # of the gateway's calls
SOURCES = ("cloudtrail", "k8s-audit", "github-audit", "gateway", "sts")
KEY = "ASIAEXAMPLE000000042"


def rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 10**9, UTC).isoformat()


def gateway_call(
    number: int, sequence: int, tool: str, shown: str, jti: str
) -> AuditEvent:
    at = made(number).event_time
    key = build_event_id(at, "gateway", "r", b"%d" % number)
    return made(
        number,
        event_id=key,
        source="gateway",
        scope="r",
        written_by=WrittenBy.MEDIATOR,
        action="mcp:tools/call",
        credential=token("T1"),
        agent=AGENT,
        tool=tool,
        run="d1",
        decision_id=key.hex(),
        recorder="r",
        sequence=sequence,
        facts=(
            ("ended", "completed"),
            ("ended_sequence", str(sequence + 1)),
            ("jti", jti),
            ("milliseconds", "900"),
            ("shown_to_server", digest(shown)),
        ),
    )


def our_records(source: str) -> list[AuditEvent]:
    if source == "gateway":
        return [
            gateway_call(50, 2, PUSH, "T2", "j-2"),
            gateway_call(90, 4, KUBECTL, "T3", "j-3"),
        ]
    chain: dict[str, object] = {"agent": AGENT, "chain": (AGENT,), "person": ANA}
    return [
        record(1, subject="start", issued="T1", delegation="d1", jti="j-1", **chain),
        record(49, subject="T1", issued="T2", delegation="d2", jti="j-2", **chain),
        record(89, subject="T1", issued="T3", delegation="d3", jti="j-3", **chain),
    ]


def push(at: int = AT) -> dict[str, Any]:
    hashed = base64.b64encode(hashlib.sha256(b"T2").digest()).decode()
    return {
        **GITHUB,
        "@timestamp": at // 10**6 + 300,
        "_document_id": f"doc-{at}",
        "actor": "triage[bot]",
        "hashed_token": hashed,
    }


def secret_reads() -> list[dict[str, Any]]:
    credential = "authentication.kubernetes.io/credential-id"
    at = rfc3339(AT + 40 * 10**9)
    mine = {"username": "oidc:triage", "extra": {credential: ["JTI=j-3"]}}
    aws = {"username": "dev", "extra": {"accessKeyId": [KEY]}}
    return [
        {**K8S, "auditID": "a-1", "requestReceivedTimestamp": at, "user": mine},
        {
            **K8S,
            "auditID": "a-2",
            "requestReceivedTimestamp": at,
            "user": aws,
            "verb": "delete",
        },
    ]


def trail() -> dict[str, Any]:
    """Ana's sign-in with SAML, which issues the session of the second call."""
    return {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "SAMLUser",
            "principalId": "x:ana@corp.example",
            "userName": "ana@corp.example",
            "identityProvider": "idp",
        },
        "eventTime": rfc3339(AT - 60 * 10**9),
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRoleWithSAML",
        "awsRegion": "eu-central-1",
        "eventID": "e-1",
        "recipientAccountId": "111122223333",
        "requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/dev"},
        "responseElements": {
            "credentials": {
                "accessKeyId": KEY,
                "expiration": rfc3339(AT + 3600 * 10**9),
            },
            "assumedRoleUser": {
                "arn": "arn:aws:sts::111122223333:assumed-role/dev/ana"
            },
        },
    }


def tell(
    store: EvidenceStore, folder: Path, source: str, *, split: bool = False
) -> None:
    """Store what one source tells of the incident, in one file or a file a record."""
    logs: dict[str, list[dict[str, Any]]] = {
        "cloudtrail": [trail()],
        "k8s-audit": secret_reads(),
        "github-audit": [push()],
    }
    if source not in logs:
        keep(store, our_records(source))
        return
    place = folder / source
    place.mkdir(exist_ok=True)
    lines = [*map(json.dumps, logs[source])]
    for number, text in enumerate(lines if split else ["\n".join(lines)]):
        (place / f"{number}.json").write_text(text)
    options = ",cluster=prod" if source == "k8s-audit" else ""
    ingest_logs(store, [f"{source}:{place}{options}"], now=NOW)


def hops(store: EvidenceStore, **asked: str) -> dict[str, tuple[str, str, str]]:
    (item,) = trace_events(store, TraceQuery(**asked), now=NOW).items
    return {
        name: (hop["value"], hop["status"], hop["source"])
        for name, hop in item["hops"].items()
    }


def rows(store: EvidenceStore) -> list[dict[str, Any]]:
    return [dict(item) for item in trace_events(store, TraceQuery(), now=NOW).items]


def statuses(found: dict[str, tuple[str, str, str]]) -> dict[str, str]:
    return {name: status for name, (_, status, _) in found.items()}


HOPS = ("person", "agent", "tool", "identity", "action", "resource")
OBSERVED = dict.fromkeys(HOPS, "observed")


@pytest.fixture(scope="module")
def told_incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("incident")
    with EvidenceStore.open(folder / "store", now=NOW) as opened:
        for source in SOURCES:
            tell(opened, folder, source)
    return folder / "store"


@pytest.fixture
def incident(told_incident: Path, tmp_path: Path) -> Iterator[EvidenceStore]:
    shutil.copytree(told_incident, tmp_path / "copy")
    with EvidenceStore.open(tmp_path / "copy", now=NOW) as opened:
        yield opened


def test_a_push_is_told_in_six_observed_hops(incident: EvidenceStore) -> None:
    found = hops(incident, action="github:git.push")
    assert statuses(found) == OBSERVED
    assert [value for value, _, _ in found.values()] == [
        ANA,
        AGENT,
        PUSH,
        "github:app/triage",
        "github:git.push",
        "github:acme/repo/shop",
    ]


def test_a_read_of_a_secret_is_told_in_six_observed_hops(
    incident: EvidenceStore,
) -> None:
    found = hops(incident, action="k8s:get")
    assert statuses(found) == OBSERVED
    assert (found["person"][0], found["tool"][0]) == (ANA, KUBECTL)
    assert found["resource"][0] == "k8s:prod/apps/secrets/db"


def test_the_person_behind_an_aws_session_on_a_cluster_is_known(
    incident: EvidenceStore,
) -> None:
    found = hops(incident, action="k8s:delete")
    assert found["person"][:2] == (ANA, "observed")
    assert found["identity"][:2] == ("k8s:prod/user/dev", "observed")


# Source that is missing, an event of the rest, hop that it supplied, words of its new
# source.
GAPS = [
    ("gateway", {"action": "github:git.push"}, "tool", "gateway record"),
    ("gateway", {"action": "k8s:get"}, "tool", "gateway record"),
    ("sts", {"action": "github:git.push"}, "person", f"issued {token('T1')} (sts)"),
    ("sts", {"action": "k8s:get"}, "person", f"issued {token('T1')} (sts)"),
    ("github-audit", {"tool": PUSH}, "identity", f"the platform of {PUSH}"),
    ("k8s-audit", {"tool": KUBECTL}, "identity", f"platform of {KUBECTL}"),
    (
        "cloudtrail",
        {"action": "k8s:delete"},
        "person",
        f"STS record that issued cred:aws/{KEY}",
    ),
]


@pytest.mark.parametrize(("source", "query", "hop", "words"), GAPS)
def test_without_a_source_its_hop_is_missing_and_names_it(
    store: EvidenceStore,
    tmp_path: Path,
    source: str,
    query: dict[str, str],
    hop: str,
    words: str,
) -> None:
    for each in SOURCES:
        if each != source:
            tell(store, tmp_path, each)
    tell_session(store, tmp_path)
    found = hops(store, **query)
    assert found[hop][:2] == ("", "missing")
    assert words in found[hop][2]
    if source == "sts":  # the gateway's own record still names the agent
        assert found["agent"][:2] == (AGENT, "observed")


def tell_session(store: EvidenceStore, folder: Path) -> None:
    """Store the session file of the agent's Claude Code, at the time of its calls."""
    text = "\n".join(map(json.dumps, CLAUDE_CODE))
    text = text.replace("2026-11-03T10:00:00.000Z", rfc3339(AT))
    place = folder / "session.jsonl"
    place.write_text(text)
    ingest_logs(store, [f"claude-code:{place}"], now=NOW)


def test_the_agents_telemetry_adds_rows_of_its_own_and_changes_no_other(
    incident: EvidenceStore, tmp_path: Path
) -> None:
    before = rows(incident)
    tell_session(incident, tmp_path)
    found = rows(incident)
    assert [row for row in found if row["source"] != "claude-code"] == before
    said = [row for row in found if row["source"] == "claude-code"]
    assert len(said) == 3
    assert {hop["status"] for row in said for hop in row["hops"].values()} == {
        "missing"
    }


def test_any_order_and_split_of_the_files_gives_the_same_rows(tmp_path: Path) -> None:
    told = []
    for number, order in enumerate((SOURCES, SOURCES[::-1], SOURCES[2:] + SOURCES[:2])):
        folder = tmp_path / str(number)
        folder.mkdir()
        with EvidenceStore.open(folder / "store", now=NOW) as store:
            for source in order:
                tell(store, folder, source, split=number > 0)
            told.append(rows(store))
            for source in order:
                tell(store, folder, source)
            assert rows(store) == told[-1]
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("last", SOURCES)
def test_one_more_source_weakens_no_hop(tmp_path: Path, last: str) -> None:
    rank = ["missing", "inferred", "declared", "observed"].index
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        for source in SOURCES:
            if source != last:
                tell(store, tmp_path, source)
        before = {row["event_id"]: row["hops"] for row in rows(store)}
        tell(store, tmp_path, last)
        after = {row["event_id"]: row["hops"] for row in rows(store)}
    for event, known in before.items():
        for name, hop in known.items():
            assert rank(after[event][name]["status"]) >= rank(hop["status"])


def test_the_token_outside_of_any_call_does_not_name_the_tool(
    incident: EvidenceStore, tmp_path: Path
) -> None:
    late = AT + 3600 * 10**9
    place = tmp_path / "late.json"
    place.write_text(json.dumps(push(late)))
    ingest_logs(incident, [f"github-audit:{place}"], now=NOW)
    found = [row["hops"] for row in rows(incident) if row["source"] == "github-audit"]
    assert [each["tool"]["status"] for each in found] == ["observed", "missing"]
    assert [each["agent"]["status"] for each in found] == ["observed", "observed"]


def test_a_token_that_two_agents_present_at_once_names_neither(
    store: EvidenceStore, tmp_path: Path
) -> None:
    from dataclasses import replace

    first, _ = our_records("gateway")
    other = replace(
        first,
        event_id=build_event_id(first.event_time, "gateway", "r", b"other"),
        agent="agent:declared/other",
    )
    keep(store, [first, other])
    tell(store, tmp_path, "github-audit")
    found = hops(store, action="github:git.push")
    assert found["agent"][1] == "missing"


def test_what_an_agent_says_of_itself_changes_no_hop(
    incident: EvidenceStore,
) -> None:
    from dataclasses import replace

    before = {row["event_id"]: row["hops"] for row in rows(incident)}
    first, _ = our_records("gateway")
    claim = replace(
        first,
        event_id=build_event_id(first.event_time, "otel", "x", b"claim"),
        source="otel",
        written_by=WrittenBy.SELF_REPORTED,
        agent="agent:declared/other",
        person="person:eve@corp.example",
    )
    keep(incident, [claim])
    after = {row["event_id"]: row["hops"] for row in rows(incident)}
    assert {event: after[event] for event in before} == before


def test_the_platforms_events_are_compared_with_the_gateways_records(
    incident: EvidenceStore, tmp_path: Path
) -> None:
    place = tmp_path / "bypass.json"
    place.write_text(json.dumps(push(AT + 20 * 10**9)))
    ingest_logs(incident, [f"github-audit:{place}"], now=NOW)
    found = find_bypassing_events(incident, TraceQuery(agent=AGENT), now=NOW)
    told = found.coverage["mediation"]
    assert (told["mediated"], told["unmediated"]) == (2, 1)
    (row,) = found.items
    assert (row["source"], row["why"]) == ("github-audit", "no-call")


def test_each_log_says_what_it_cannot_contain(incident: EvidenceStore) -> None:
    found = trace_events(incident, TraceQuery(), now=NOW)
    limits = found.coverage["log_limits"]
    assert set(limits) == {"cloudtrail", "github-audit", "k8s-audit"}
    assert "audit policy" in limits["k8s-audit"]


def test_events_are_counted_by_log(incident: EvidenceStore) -> None:
    counted = count_by_fields(incident, TraceQuery(), "source", now=NOW)
    assert {row["source"]: row["events"] for row in counted.items} == {
        "sts": 3,
        "gateway": 2,
        "k8s-audit": 2,
        "cloudtrail": 1,
        "github-audit": 1,
    }
