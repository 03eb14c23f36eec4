"""The pod behind an AWS session of a Kubernetes service account (IRSA)."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.lineage_search import SearchScope
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.inventory.show import show_subject
from tests.connectors.logs.samples import K8S
from tests.lineage.conftest import NOW, ask

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
ACCOUNT = "system:serviceaccount:apps:builder"
ROLE = "arn:aws:iam::111122223333:role/builder"
KEY = "ASIAIRSAIRSAIRSAIRSA"


def trail() -> list[dict[str, Any]]:
    """A pod assumes a role, and its session reads an object."""
    usual = {
        "eventVersion": "1.08",
        "eventTime": "2026-11-03T10:05:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRoleWithWebIdentity",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }
    session = {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::111122223333:assumed-role/builder/web",
        "accountId": "111122223333",
        "accessKeyId": KEY,
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}},
    }
    return [
        {
            **usual,
            "eventID": "e-1",
            "userIdentity": {
                "type": "WebIdentityUser",
                "principalId": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}:{ACCOUNT}",
                "userName": ACCOUNT,
                "identityProvider": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}",
            },
            "requestParameters": {"roleArn": ROLE, "roleSessionName": "web"},
            "responseElements": {
                "credentials": {
                    "accessKeyId": KEY,
                    "expiration": "Nov 3, 2026, 11:05:00 AM",
                },
                "assumedRoleUser": {"arn": session["arn"]},
            },
        },
        {
            **usual,
            "eventID": "e-2",
            "eventTime": "2026-11-03T10:06:00Z",
            "eventSource": "s3.amazonaws.com",
            "eventName": "DeleteBucket",
            "userIdentity": session,
            "requestParameters": {"bucketName": "data"},
        },
    ]


def token_request(
    pod: str, audience: str = "sts.amazonaws.com", **fields: Any
) -> dict[str, Any]:
    """The kubelet of a node requests a token for a pod."""
    return {
        **K8S,
        "auditID": f"request-{pod}-{audience}",
        "level": "Request",
        "verb": "create",
        "user": {"username": "system:node:n1"},
        "objectRef": {
            "resource": "serviceaccounts",
            "namespace": "apps",
            "name": "builder",
            "subresource": "token",
        },
        "requestObject": {
            "kind": "TokenRequest",
            "spec": {
                "audiences": [audience],
                "boundObjectRef": {"kind": "Pod", "name": pod, "uid": f"uid-{pod}"},
            },
        },
        "responseStatus": {"code": 201},
        **fields,
    }


def find_pod(
    store: EvidenceStore, folder: Path, *records: dict[str, Any]
) -> tuple[str | None, str, str]:
    """Ingest logs of AWS and of the cluster, and show the event of AWS."""
    aws, cluster = folder / "trail.jsonl", folder / "audit.jsonl"
    aws.write_text("\n".join(map(json.dumps, trail())))
    ingest_logs(store, [f"cloudtrail:{aws}"], now=NOW)
    if records:
        cluster.write_text("\n".join(map(json.dumps, records)))
        ingest_logs(store, [f"k8s-audit:{cluster},cluster=prod"], now=NOW)
    (item,) = ask(store, action="s3:*")
    assert item["identity_path"] == [f"oidc:{ISSUER}/{ACCOUNT}", ROLE]
    inventory = snapshots.load_inventory(store, now=NOW)
    scope = SearchScope(inventory, load_or_compute_chains(store))
    shown = show_subject(store, scope, str(item["event_id"]), now=NOW).items
    (row,) = [dict(each) for each in shown if each["relation"] == "from pod"]
    return row["value"], row["status"], row["source"]


def test_the_only_pod_with_a_token_for_aws_is_inferred(
    store: EvidenceStore, tmp_path: Path
) -> None:
    other = {**K8S, "auditID": "call-of-another-pod"}  # it has no token for AWS
    server = token_request("web-2", "https://kubernetes.default.svc")
    value, status, source = find_pod(
        store, tmp_path, token_request("web-1"), server, other
    )
    assert (value, status) == ("k8s:prod/apps/pods/web-1", "inferred")
    assert source.startswith("k8s-audit event ")


def test_without_the_log_of_the_cluster_the_pod_is_missing(
    store: EvidenceStore, tmp_path: Path
) -> None:
    value, status, source = find_pod(store, tmp_path)
    assert (value, status) == (None, "missing")
    assert source == f"the k8s-audit log of the cluster with the issuer {ISSUER}"


def test_a_call_of_the_account_names_the_pod_where_requests_do_not(
    store: EvidenceStore, tmp_path: Path
) -> None:
    unread = {"requestObject": {"spec": {"boundObjectRef": "no object"}}}
    value, status, _ = find_pod(store, tmp_path, K8S, token_request("web-1", **unread))
    assert (value, status) == ("k8s:prod/apps/pods/builder-0", "inferred")


@pytest.mark.parametrize(
    "change",
    [
        {"requestReceivedTimestamp": "2026-11-03T10:06:00Z"},  # after the session
        {"requestReceivedTimestamp": "2026-11-02T10:04:59Z"},  # a day before it
        {"responseStatus": {"code": 403}},
        {"objectRef": {**token_request("x")["objectRef"], "namespace": "other"}},
        {"objectRef": {**token_request("x")["objectRef"], "name": "my-builder"}},
    ],
)
def test_a_request_of_another_time_or_account_names_no_pod(
    store: EvidenceStore, tmp_path: Path, change: dict[str, Any]
) -> None:
    value, status, _ = find_pod(store, tmp_path, token_request("web-1", **change))
    assert (value, status) == (None, "missing")


def test_of_several_possible_pods_none_is_inferred(
    store: EvidenceStore, tmp_path: Path
) -> None:
    value, status, source = find_pod(
        store, tmp_path, token_request("web-1"), token_request("web-2")
    )
    assert (value, status) == (None, "missing")
    assert source == "2 pods used the account on that day: prod web-1, prod web-2"
