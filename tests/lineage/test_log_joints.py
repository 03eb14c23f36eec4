"""Chains over several log sources: impersonations, token ids and presented tokens."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.store import large_stores
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from tests.connectors.logs.samples import AZURE, BEDROCK, ENTRA, GCP, GITHUB, K8S
from tests.lineage.conftest import NOW, ask


def ingest(
    store: EvidenceStore, folder: Path, source: str, *records: dict[str, Any]
) -> None:
    place = folder / f"{source.partition(':')[0]}.json"
    place.write_text("\n".join(map(json.dumps, records)))
    ingest_logs(store, [source.replace("PATH", str(place))], now=NOW)


def hop(item: Any, name: str) -> tuple[str, str]:
    found = item["hops"][name]
    return found["value"], found["status"]


def test_an_impersonation_in_one_record_leads_back_to_the_caller(
    store: EvidenceStore, tmp_path: Path
) -> None:
    record = {**K8S, "impersonatedUser": {"username": "admin"}}
    ingest(store, tmp_path, "k8s-audit:PATH,cluster=prod", record)
    (item,) = ask(store)
    builder = "k8s:prod/apps/serviceaccount/builder"
    assert item["identity_path"] == [builder, "k8s:prod/user/admin"]
    assert item["credential_path"][0] == "cred:k8s-jti/7c1f"
    assert hop(item, "identity") == ("k8s:prod/user/admin", "observed")
    by_origin = ask(store, identity=builder)
    assert [row["event_id"] for row in by_origin] == [item["event_id"]]


def test_a_chain_of_impersonated_service_accounts_starts_with_the_person(
    store: EvidenceStore, tmp_path: Path
) -> None:
    payload = GCP["protoPayload"]
    middle = "middle@acme.iam.gserviceaccount.com"
    behind = [
        {"firstPartyPrincipal": {"principalEmail": name}}
        for name in ("ana@corp.example", middle)
    ]
    about = {**payload["authenticationInfo"], "serviceAccountDelegationInfo": behind}
    record = {**GCP, "protoPayload": {**payload, "authenticationInfo": about}}
    ingest(store, tmp_path, "gcp-audit:PATH", record)
    (item,) = ask(store)
    assert item["identity_path"] == [
        "user:ana@corp.example",
        middle,
        "runner@acme.iam.gserviceaccount.com",
    ]
    assert hop(item, "person") == ("person:ana@corp.example", "observed")


def test_a_token_leads_back_to_the_sign_in_that_issued_it(
    store: EvidenceStore, tmp_path: Path
) -> None:
    ingest(store, tmp_path, "azure-activity:PATH", AZURE)
    ingest(store, tmp_path, "entra:PATH", ENTRA)
    (item,) = ask(store, action="Microsoft.Compute/*")
    assert item["credential_path"] == ["cred:entra-cred/key-1", "cred:entra-uti/UtI_1"]
    assert hop(item, "identity") == ("entra:app/11aa", "observed")


def test_an_issued_service_account_token_leads_back_to_its_requester(
    store: EvidenceStore, tmp_path: Path
) -> None:
    request = {
        **K8S,
        "auditID": "other",
        "verb": "create",
        "user": {"username": "ana@corp.example"},
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
    ingest(store, tmp_path, "k8s-audit:PATH,cluster=prod", K8S, request)
    (item,) = ask(store, action="k8s:get")
    assert item["identity_path"] == [
        "k8s:prod/user/ana@corp.example",
        "k8s:prod/apps/serviceaccount/builder",
    ]
    assert hop(item, "person") == ("person:ana@corp.example", "observed")


def test_a_token_that_was_requested_with_another_token_leads_back_over_both(
    store: EvidenceStore, tmp_path: Path
) -> None:
    """An account requests a token for another account, with its own token."""
    extra = "authentication.kubernetes.io/"

    def request(number: int, user: dict[str, Any], name: str, jti: str) -> Any:
        return {
            **K8S,
            "auditID": f"request-{number}",
            "verb": "create",
            "user": user,
            "objectRef": {
                "resource": "serviceaccounts",
                "namespace": "apps",
                "name": name,
                "subresource": "token",
            },
            "annotations": {f"{extra}issued-credential-id": f"JTI={jti}"},
            "responseStatus": {"code": 201},
            "responseObject": {
                "status": {"expirationTimestamp": "2026-11-03T11:00:00Z"}
            },
        }

    middle = {
        "username": "system:serviceaccount:apps:middle",
        "extra": {f"{extra}credential-id": ["JTI=first"]},
    }
    records = (
        request(1, {"username": "ana@corp.example"}, "middle", "first"),
        request(2, middle, "builder", "7c1f"),
    )
    ingest(store, tmp_path, "k8s-audit:PATH,cluster=prod", K8S, *records)
    (item,) = ask(store, action="k8s:get")
    assert item["credential_path"] == ["cred:k8s-jti/first", "cred:k8s-jti/7c1f"]
    assert hop(item, "person") == ("person:ana@corp.example", "observed")
    assert item["credential_to"] == "2026-11-03T11:00:00Z"


def test_words_of_the_caller_change_no_hop(tmp_path: Path) -> None:
    """What an agent can write into a record: user agent, forwarded addresses, extras."""
    impersonated = {"username": "admin"}
    usual = {**K8S, "impersonatedUser": impersonated}
    credential = "authentication.kubernetes.io/credential-id"
    written = {
        **usual,
        "userAgent": "agent:declared/other person:eve@corp.example",
        "sourceIPs": ["192.0.2.1", K8S["sourceIPs"][-1]],
        "impersonatedUser": {**impersonated, "extra": {credential: ["JTI=other"]}},
    }
    told = []
    for number, record in enumerate((usual, written)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with EvidenceStore.open(folder / "store", now=NOW) as store:
            ingest(store, folder, "k8s-audit:PATH,cluster=prod", record)
            (item,) = ask(store)
            told.append((item["hops"], item["identity_path"], item["credential_path"]))
    assert told[0] == told[1]


def test_what_github_tells_of_an_agent_sets_no_agent(tmp_path: Path) -> None:
    told = []
    for number, claims in enumerate(
        ({}, {"actor_is_agent": False, "agent_session_id": "x", "user": "eve"})
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with EvidenceStore.open(folder / "store", now=NOW) as store:
            ingest(store, folder, "github-audit:PATH", {**GITHUB, **claims})
            (item,) = ask(store)
            told.append(item["hops"])
    assert told[0] == told[1]
    assert told[0]["agent"]["status"] == "missing"


KEY = "ASIAEXAMPLE000000077"
RUN = "arn:aws:sts::111122223333:assumed-role/agent/run-1"


def bedrock_call(request: str, key: str) -> dict[str, Any]:
    """CloudTrail record of a model invocation."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": RUN,
            "accountId": "111122223333",
            "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "arn": "arn:aws:iam::111122223333:role/agent",
                }
            },
        },
        "eventTime": "2026-11-03T10:00:00Z",
        "eventSource": "bedrock.amazonaws.com",
        "eventName": "InvokeModel",
        "awsRegion": "eu-central-1",
        "eventID": f"e-{request}",
        "requestID": request,
        "recipientAccountId": "111122223333",
    }


def sign_in(key: str) -> dict[str, Any]:
    """CloudTrail record of a SAML sign-in that issues a session."""
    return {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "SAMLUser",
            "principalId": "x:ana@corp.example",
            "userName": "ana@corp.example",
            "identityProvider": "idp",
        },
        "eventTime": "2026-11-03T09:59:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRoleWithSAML",
        "awsRegion": "eu-central-1",
        "eventID": "e-saml",
        "recipientAccountId": "111122223333",
        "requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/agent"},
        "responseElements": {
            "credentials": {"accessKeyId": key, "expiration": "2026-11-03T10:59:00Z"},
            "assumedRoleUser": {"arn": RUN},
        },
    }


def test_a_model_invocation_has_the_credential_of_its_cloudtrail_record(
    store: EvidenceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal request ids join them; another invocation of the session stays open."""
    other = {**BEDROCK, "requestId": "req-2", "timestamp": "2026-11-03T10:00:05Z"}
    later = {**BEDROCK, "requestId": "req-3", "timestamp": "2026-11-03T10:00:09Z"}
    ingest(store, tmp_path, "bedrock:PATH", BEDROCK, other, later)
    before = ask(store, source="bedrock")
    assert {hop(item, "person")[1] for item in before} == {"missing"}
    calls = (sign_in(KEY), bedrock_call("req-1", KEY), bedrock_call("req-3", KEY))
    ingest(store, tmp_path, "cloudtrail:PATH", *calls)
    first, middle, last = ask(store, source="bedrock")
    for item in (first, last):
        assert hop(item, "person") == ("person:ana@corp.example", "observed")
        assert item["credential_path"][-1] == f"cred:aws/{KEY}"
        assert item["credential_to"] == "2026-11-03T10:59:00Z"
    assert hop(middle, "person")[1] == "missing"
    by_key = ask(store, credential=KEY, source="bedrock")
    assert [row["event_id"] for row in by_key] == [first["event_id"], last["event_id"]]
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    assert ask(store, source="bedrock") == [first, middle, last]


def test_a_request_id_of_another_caller_or_account_joins_nothing(
    store: EvidenceStore, tmp_path: Path
) -> None:
    user = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve"}
    call = {
        **bedrock_call("req-1", KEY),
        "userIdentity": {**user, "accountId": "111122223333", "accessKeyId": KEY},
    }
    elsewhere = {**bedrock_call("req-1", KEY), "recipientAccountId": "444455556666"}
    ingest(store, tmp_path, "bedrock:PATH", BEDROCK)
    ingest(store, tmp_path, "cloudtrail:PATH", call, {**elsewhere, "eventID": "e-2"})
    (item,) = ask(store, source="bedrock")
    assert item["credential_path"] == []
