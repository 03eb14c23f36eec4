"""Every log source: its usual record, its wrappers, damaged input, and limits."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from answerable.connectors import log_reader
from answerable.connectors.registry import load_event_connector
from answerable.model.connector import EventBatch, EventContext, EventLimits
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.provenance import WrittenBy
from tests.collector.log_files import make_records
from tests.connectors.logs.agent_samples import LOGS
from tests.connectors.logs.samples import SAMPLES, Sample

NAMES = list(SAMPLES)


def read(name: str, place: Path, limits: EventLimits | None = None) -> list[EventBatch]:
    location = f"{place}{SAMPLES[name].options}"
    context = EventContext(limits or EventLimits())
    return list(load_event_connector(name).read(location, context))


def events(name: str, place: Path) -> list[AuditEvent]:
    return [event for batch in read(name, place) for event in batch.events]


def quarantined(batches: list[EventBatch]) -> list[str]:
    return [each.why for batch in batches for each in batch.quarantined]


def write(folder: Path, sample: Sample, content: bytes | None = None) -> Path:
    path = folder / "log.json"
    path.write_bytes(json.dumps(sample.record).encode() if content is None else content)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_usual_record_gives_who_what_and_outcome(tmp_path: Path, name: str) -> None:
    (event,) = events(name, write(tmp_path, SAMPLES[name]))
    found = {field: getattr(event, field) for field in SAMPLES[name].fields}
    assert found == SAMPLES[name].fields
    assert event.source == name
    assert event.written_by is WrittenBy.PLATFORM
    assert event.outcome is EventOutcome.SUCCESS
    assert event.facts == tuple(sorted(event.facts))


@pytest.mark.parametrize("name", NAMES)
def test_every_form_of_a_file_gives_the_same_event(tmp_path: Path, name: str) -> None:
    sample = SAMPLES[name]
    one = json.dumps(sample.record).encode()
    (expected,) = events(name, write(tmp_path, sample))
    forms = [
        b"[" + one + b"]",
        one + b"\n" + one,
        json.dumps(sample.record, indent=2).encode(),
        gzip.compress(one),
        zstandard.ZstdCompressor().compress(one),
    ]
    if sample.wrapper:
        before = b'{"kind": "List", "n": 1, "metadata": {}, "'
        forms.append(
            before + sample.wrapper.encode() + b'": [' + one + b'], "more": 0}'
        )
    for form in forms:
        found = events(name, write(tmp_path, sample, form))
        assert set(found) == {expected}


@pytest.mark.parametrize("name", NAMES)
def test_records_of_another_source_are_quarantined_with_place_offset_and_reason(
    tmp_path: Path, name: str
) -> None:
    for other in NAMES:
        if other == name:
            continue
        place = write(tmp_path, SAMPLES[other])
        batches = read(name, place)
        assert [e for b in batches for e in b.events] == []
        ((found,),) = [b.quarantined for b in batches if b.quarantined]
        assert (found.place, found.offset) == (str(place), 0)
        assert found.why.startswith("not a")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "damage",
    [b"\x00\xff garbage", b"[" * 1000, b'{"a": ', b"null", b"[1, 2]", b'"text"'],
)
def test_damaged_input_is_quarantined_or_a_problem(
    tmp_path: Path, name: str, damage: bytes
) -> None:
    batches = read(name, write(tmp_path, SAMPLES[name], damage))
    assert [e for b in batches for e in b.events] == []
    assert quarantined(batches) or any(batch.problems for batch in batches)


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_file_keeps_the_records_before_the_cut(tmp_path: Path, name: str) -> None:
    one = json.dumps(SAMPLES[name].record).encode()
    batches = read(name, write(tmp_path, SAMPLES[name], one + b"\n" + one[:-9]))
    assert sum(len(batch.events) for batch in batches) == 1
    assert len(quarantined(batches)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_record_that_is_too_large_is_quarantined_by_its_head(
    tmp_path: Path, name: str
) -> None:
    large = json.dumps({**SAMPLES[name].record, "x": "y" * 50_000}).encode()
    one = json.dumps(SAMPLES[name].record).encode()
    place = write(tmp_path, SAMPLES[name], large + b"\n" + one)
    batches = read(name, place, EventLimits(record_bytes=20_000))
    assert sum(len(batch.events) for batch in batches) == 1
    assert quarantined(batches) == ["larger than 20000 bytes"]
    assert all(len(q.raw) <= 4096 for batch in batches for q in batch.quarantined)


@pytest.mark.parametrize("name", ["cloudtrail", "claude-code", "otel", *NAMES])
def test_a_record_of_10_megabytes_costs_only_itself(tmp_path: Path, name: str) -> None:
    one = OTHERS.get(name) or json.dumps(SAMPLES[name].record).encode()
    end = b"}]}" if name == "otel" else b"}"  # its record is inside of a list
    large = one.removesuffix(end) + b', "requestObject": "' + b"y" * (10 << 20)
    large += b'"' + end
    expected = sum(len(batch.events) for batch in read_any(name, tmp_path, one))
    batches = read_any(name, tmp_path, large + b"\n" + one)
    assert sum(len(batch.events) for batch in batches) == expected > 0
    assert quarantined(batches) == ["larger than 4194304 bytes"]
    ((found,),) = [batch.quarantined for batch in batches if batch.quarantined]
    offset = one.index(b"[") + 1 if name == "otel" else 0
    assert (found.place, found.offset) == (str(tmp_path / "log.json"), offset)


@pytest.mark.parametrize("name", ["cloudtrail", "claude-code", "otel", *NAMES])
def test_a_gzip_bomb_is_left(tmp_path: Path, name: str) -> None:
    batches = read_any(name, tmp_path, gzip.compress(b" " * (64 << 20)))
    (problem,) = [each for batch in batches for each in batch.problems]
    assert "more than 100 times its size" in problem.what


# One record of each log without a sample.
OTHERS = {
    "cloudtrail": json.dumps(make_records(1, 1)[0]).encode(),
    **{name: json.dumps(log.records[0]).encode() for name, log in LOGS.items()},
}


def read_any(name: str, folder: Path, content: bytes) -> list[EventBatch]:
    place = folder / "log.json"
    place.write_bytes(content)
    options = SAMPLES[name].options if name in SAMPLES else ""
    location = f"{place}{options}"
    return list(load_event_connector(name).read(location, EventContext()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("time", ["yesterday", -5, 10**30, ""])
def test_a_wrong_or_missing_time_is_a_reason(
    tmp_path: Path, name: str, time: object
) -> None:
    record = dict(SAMPLES[name].record)
    for key in ("properties",):
        if key in record:
            inner = {**record[key], "createdDateTime": time}
            record = {**record, key: inner}
    keys = ("time", "@timestamp", "timestamp", "published", "created_at")
    keys += ("effective_at", "requestReceivedTimestamp")
    record |= {key: time for key in keys if key in record}
    place = write(tmp_path, SAMPLES[name], json.dumps(record).encode())
    (why,) = quarantined(read(name, place))
    assert any(word in why for word in ("time", "effective_at", "Expected"))


@pytest.mark.parametrize("name", NAMES)
def test_a_repeated_caller_is_refused(tmp_path: Path, name: str) -> None:
    keys = {
        "k8s-audit": "user",
        "azure-activity": "identity",
        "gcp-audit": "protoPayload",
        "entra": "properties",
        "bedrock": "identity",
    }
    key = keys.get(name, "actor")
    record = SAMPLES[name].record
    twice = json.dumps({key: record[key]})[:-1] + "," + json.dumps(record)[1:]
    batches = read(name, write(tmp_path, SAMPLES[name], twice.encode()))
    assert quarantined(batches) == [
        "duplicate key in an object: parsers could disagree about its value"
    ]


@pytest.mark.parametrize("name", ["k8s-audit", "entra"])
def test_a_parser_process_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write(tmp_path, SAMPLES[name])
    (tmp_path / "garbage.json").write_bytes(b"garbage")
    here = read(name, tmp_path)
    monkeypatch.setattr(log_reader, "SUBPROCESS_BYTES", 0)
    apart = read(name, tmp_path)
    for attribute in ("events", "quarantined", "problems"):
        found = [x for batch in apart for x in getattr(batch, attribute)]
        assert found == [x for batch in here for x in getattr(batch, attribute)]


def test_prompts_and_answers_of_bedrock_are_not_kept(tmp_path: Path) -> None:
    (event,) = events("bedrock", write(tmp_path, SAMPLES["bedrock"]))
    assert "CANARY" not in repr(event)
    assert ("self:metadata:agent", "someone-else") in event.facts


def test_the_cluster_of_a_kubernetes_log_has_to_be_named(tmp_path: Path) -> None:
    place = write(tmp_path, SAMPLES["k8s-audit"])
    with pytest.raises(UsageError, match="cluster is missing"):
        load_event_connector("k8s-audit").read(str(place), EventContext())


def test_a_path_may_contain_a_comma(tmp_path: Path) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    assert len(events("k8s-audit", write(folder, SAMPLES["k8s-audit"]))) == 1


def test_top_level_names_in_lower_case_are_read(tmp_path: Path) -> None:
    record = {key.lower(): value for key, value in SAMPLES["okta"].record.items()}
    place = write(tmp_path, SAMPLES["okta"], json.dumps(record).encode())
    (event,) = events("okta", place)
    assert event.action == "okta:app.oauth2.token.grant.id_jag"


def test_the_activity_log_of_azures_python_client_is_read(tmp_path: Path) -> None:
    """`as_dict` of `azure-mgmt-monitor` has underscores in names."""
    record = {
        "claims": {"appid": "11aa", "idtyp": "app", "uti": "UtI_1"},
        "caller": "22bb",
        "event_data_id": "e-1",
        "event_timestamp": "2026-11-03T10:00:00.1Z",
        "http_request": {"client_ip_address": "198.51.100.7"},
        "operation_name": {"value": "Microsoft.Compute/disks/delete"},
        "resource_id": "/subscriptions/5f1e/resourceGroups/rg",
        "status": {"value": "Succeeded"},
    }
    place = write(tmp_path, SAMPLES["azure-activity"], json.dumps(record).encode())
    (event,) = events("azure-activity", place)
    assert (event.identity, event.credential) == (
        "entra:app/11aa",
        "cred:entra-uti/UtI_1",
    )
    assert (event.action, event.outcome) == (
        "Microsoft.Compute/disks/delete",
        EventOutcome.SUCCESS,
    )
    assert (event.scope, event.source_ip) == ("5f1e", "198.51.100.7")
    both = json.dumps({**record, "resourceId": "/subscriptions/other"}).encode()
    place = write(tmp_path, SAMPLES["azure-activity"], both)
    assert len(quarantined(read("azure-activity", place))) == 1


def test_an_issued_service_account_token_is_linked_by_its_id(tmp_path: Path) -> None:
    record = {
        **SAMPLES["k8s-audit"].record,
        "verb": "create",
        "user": {"username": "system:node:ip-10-0-0-9"},
        "objectRef": {
            "resource": "serviceaccounts",
            "namespace": "apps",
            "name": "builder",
            "subresource": "token",
        },
        "annotations": {
            "authentication.kubernetes.io/issued-credential-id": "JTI=7c1f"
        },
        "responseStatus": {"code": 201},
    }
    place = write(tmp_path, SAMPLES["k8s-audit"], json.dumps(record).encode())
    (event,) = events("k8s-audit", place)
    assert event.issued == "cred:k8s-jti/7c1f"
    assert event.issued_to == "k8s:prod/apps/serviceaccount/builder"


def test_an_impersonated_kubernetes_user_acts_and_the_caller_is_behind(
    tmp_path: Path,
) -> None:
    record = {
        **SAMPLES["k8s-audit"].record,
        "impersonatedUser": {"username": "admin"},
    }
    place = write(tmp_path, SAMPLES["k8s-audit"], json.dumps(record).encode())
    (event,) = events("k8s-audit", place)
    facts = dict(event.facts)
    assert event.identity == "k8s:prod/user/admin"
    assert facts["delegated_by"] == "k8s:prod/apps/serviceaccount/builder"
    assert facts["delegation_credential"] == "cred:k8s-jti/7c1f"
    assert event.credential.startswith("cred:delegated/")


@pytest.mark.parametrize(
    ("code", "decision", "outcome"),
    [
        (101, "allow", "success"),
        (403, "forbid", "denied"),
        (401, "", "denied"),
        (404, "allow", "error"),
        (None, "allow", "unknown"),
    ],
)
def test_the_outcome_of_a_kubernetes_request(
    tmp_path: Path, code: int | None, decision: str, outcome: str
) -> None:
    record = {
        **SAMPLES["k8s-audit"].record,
        "responseStatus": {"code": code},
        "annotations": {"authorization.k8s.io/decision": decision},
    }
    place = write(tmp_path, SAMPLES["k8s-audit"], json.dumps(record).encode())
    assert [event.outcome.value for event in events("k8s-audit", place)] == [outcome]


def read_gcp(folder: Path, **members: object) -> list[EventBatch]:
    record = {**SAMPLES["gcp-audit"].record, **members}
    place = write(folder, SAMPLES["gcp-audit"], json.dumps(record).encode())
    return read("gcp-audit", place)


def test_a_created_service_account_key_is_issued_under_the_name_that_uses_it(
    tmp_path: Path,
) -> None:
    name = "projects/acme/serviceAccounts/r@acme.iam.gserviceaccount.com/keys/k1"
    payload = {
        **SAMPLES["gcp-audit"].record["protoPayload"],
        "methodName": "google.iam.admin.v1.CreateServiceAccountKey",
        "response": {"name": name, "privateKeyData": "CANARY-KEY"},
    }
    ((event,),) = [b.events for b in read_gcp(tmp_path, protoPayload=payload)]
    assert event.issued == f"cred:gcp-key/{name}"
    assert event.issued_to == "r@acme.iam.gserviceaccount.com"
    assert "CANARY-KEY" not in repr(event)


def test_other_entries_of_google_cloud_are_skipped_and_counted(tmp_path: Path) -> None:
    batches = read_gcp(tmp_path, protoPayload=None, jsonPayload={"a": 1})
    assert [e for b in batches for e in b.events] == []
    assert [s for b in batches for s in b.skipped] == [
        "a log entry of another kind, not an audit log"
    ]
    assert quarantined(batches) == []


def test_a_table_of_a_log_sink_to_bigquery_is_read(tmp_path: Path) -> None:
    payload = SAMPLES["gcp-audit"].record["protoPayload"]
    batches = read_gcp(tmp_path, protoPayload=None, protopayload_auditlog=payload)
    assert [e.action for b in batches for e in b.events] == ["gcp:storage.objects.get"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("k8s-audit", {"responseObject": {"status": {"token": "CANARY"}}}),
        ("k8s-audit", {"requestObject": {"data": {"password": "CANARY"}}}),
        ("gcp-audit", {"protoPayload": {"request": {"prompt": "CANARY"}}}),
        ("bedrock", {"input": {"inputBodyJson": {"prompt": "CANARY"}}}),
        ("okta", {"token": "CANARY"}),
    ],
)
def test_content_and_secrets_of_a_quarantined_record_are_not_kept(
    tmp_path: Path, name: str, content: dict[str, object]
) -> None:
    for damaged in ({"why": 1, **content}, content):
        place = write(tmp_path, SAMPLES[name], json.dumps(damaged).encode()[:-1])
        batches = read(name, place)
        kept = [q.raw for batch in batches for q in batch.quarantined]
        assert kept
        assert not any(b"CANARY" in raw for raw in kept)
