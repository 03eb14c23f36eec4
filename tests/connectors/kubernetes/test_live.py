"""A live scan: the official client talks to an API server of our own."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from answerable.connectors.kubernetes import fetch, live_scan
from answerable.connectors.kubernetes.declaration import DECLARATION
from answerable.connectors.kubernetes.kinds import KINDS
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import ReadProblemKind
from tests.connectors.kubernetes.fake_api_server import METADATA, FakeApiServer, serve
from tests.connectors.kubernetes.kubernetes_objects import (
    account,
    binding,
    bootstrap,
    cluster_of,
    made,
    role,
    scan,
)

BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
AWS_AUTH = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
VALUE = "c4n4ryValue9"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    """An API server with a small cluster, and a kubeconfig for it."""
    with serve(FakeApiServer()) as fake:
        fake.add(*bootstrap())
        fake.add(
            made("Secret", "db", "default", data={"p": VALUE}, stringData={"q": VALUE})
        )
        monkeypatch.setenv("KUBECONFIG", str(fake.write_kubeconfig(tmp_path / "kube")))
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield fake


def test_a_cluster_is_read_whole(server: FakeApiServer) -> None:
    server.groups["kagent.dev"] = ["v1alpha2", "v1alpha1"]
    sync = scan("")
    assert (sync.source, sync.problems) == ("k8s:prod (live)", ())
    cluster = cluster_of(sync)
    assert (cluster.name, cluster.version) == ("prod", "v1.34.1")
    assert cluster.issuer == "https://issuer.example"
    every = {each.plural for each in KINDS} - {"secrets"}
    assert set(cluster.collected) == every | {"aws-auth"}
    assert len(cluster.roles) == 3
    assert cluster.roles[0].name == "cluster-admin"
    assert cluster.roles[0].place.startswith("GET /apis/rbac.authorization.k8s.io")


def test_the_declared_calls_are_those_that_are_made(server: FakeApiServer) -> None:
    for group in ("kagent.dev", "agents.x-k8s.io"):
        server.groups[group] = ["v1alpha1", "v1alpha2", "v1beta1"]
    scan("")
    made_calls = {path for path, _, _ in server.calls}
    declared = {each.removeprefix("GET ") for each in DECLARATION.reads[1:]}
    assert declared == made_calls - {"/apis/kagent.dev", "/apis/agents.x-k8s.io"}
    probes = {each.place for each in fetch.list_locations_to_read("")}
    assert probes == {f"GET {each}" for each in declared}


def test_lists_are_read_page_by_page(
    server: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_scan, "PAGE_ITEMS", 7)
    server.add(*(binding(f"b{n}", "", "r", account("a", "n")) for n in range(30)))
    cluster = cluster_of(scan(""))
    assert sum(not each.namespace for each in cluster.bindings) == 31
    assert server.count_calls()[BINDINGS] == 5


def test_secrets_are_not_listed_unless_asked_for(server: FakeApiServer) -> None:
    sync = scan("")
    assert "/api/v1/secrets" not in server.count_calls()
    assert "k8s-secrets" in sync.not_collected


def test_of_secrets_metadata_alone_is_asked_for(server: FakeApiServer) -> None:
    token = {"kubernetes.io/service-account.name": "bot"}
    server.add(
        made("Secret", "bot-token", "default", metadata={"annotations": token}),
    )
    sync = scan("secrets=metadata")
    (accept,) = {a for path, _, a in server.calls if path == "/api/v1/secrets"}
    assert METADATA in accept
    found = {each.name: each for each in cluster_of(sync).secrets}
    assert found["db"].listed
    assert found["bot-token"].service_account == "bot"
    assert VALUE not in msgspec.json.encode(sync).decode()
    assert {each.credential for each in sync.facts.links} == {
        "cred:k8s/prod/default/secret/bot-token"
    }


def test_a_server_that_answers_with_values_is_not_believed(
    server: FakeApiServer,
) -> None:
    server.ignores_accept = True
    sync = scan("secrets=metadata")
    assert sync.problems[0].what == "the API server returned more than metadata"
    assert cluster_of(sync).secrets == ()
    assert VALUE not in msgspec.json.encode(sync).decode()


def test_a_forbidden_kind_is_named_and_not_collected(server: FakeApiServer) -> None:
    server.always[BINDINGS] = 403
    sync = scan("")
    (problem,) = sync.problems
    assert (problem.kind, problem.what) == (ReadProblemKind.PERMISSION, "forbidden")
    assert problem.place == f"GET {BINDINGS}"
    assert "clusterrolebindings" not in cluster_of(sync).collected
    assert "k8s-clusterrolebindings" in sync.not_collected
    assert "k8s-rolebindings" in sync.collected


def test_throttling_is_waited_out(
    server: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    server.refusals[BINDINGS] = [(429, "3"), (503, ""), (429, "9999")]
    sync = scan("")
    assert sync.problems == ()
    assert waits == [3.0, 1.0, 30.0]


def test_throttling_without_an_end_is_named(
    server: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_scan, "THROTTLE_LIMIT", 0.0)
    server.always[BINDINGS] = 429
    (problem,) = scan("").problems
    assert problem.what == "throttled for too long"


@pytest.mark.parametrize("status", [500, 410, 302])
def test_another_status_is_named(server: FakeApiServer, status: int) -> None:
    server.always[BINDINGS] = status
    (problem,) = scan("").problems
    assert problem.what == f"HTTP status {status}"


@pytest.mark.parametrize(
    "body", ["", "<html>", '{"kind": "ClusterRoleBindingList", "i']
)
def test_an_answer_that_is_half_written_is_named(
    server: FakeApiServer, body: str
) -> None:
    server.raw[BINDINGS] = body
    sync = scan("")
    (problem,) = sync.problems
    assert problem.what == "not a response of an API server"
    assert "clusterrolebindings" not in cluster_of(sync).collected


def test_answers_have_a_bound(
    server: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_scan, "MAX_BYTES", 1 << 20)
    server.raw[BINDINGS] = " " * (2 << 20)
    sync = scan("")
    assert sync.problems[0].kind is ReadProblemKind.TOO_LARGE
    assert "clusterrolebindings" not in cluster_of(sync).collected


def test_a_group_of_another_version_is_read(server: FakeApiServer) -> None:
    server.groups["kagent.dev"] = ["v1alpha1"]
    sync = scan("")
    calls = server.count_calls()
    assert calls["/apis/kagent.dev/v1alpha1/agents"] == 1
    assert sync.problems == ()


def test_aws_auth_is_read(server: FakeApiServer) -> None:
    rows = [{"rolearn": "arn:aws:iam::111122223333:role/r", "groups": ["g"]}]
    data = {"mapRoles": yaml.safe_dump(rows)}
    mapped = made("ConfigMap", "aws-auth", "kube-system", data=data)
    server.raw[AWS_AUTH] = msgspec.json.encode(mapped).decode()
    cluster = cluster_of(scan(""))
    assert [each.groups for each in cluster.access_entries] == [("g",)]
    assert "aws-auth" in cluster.collected


def test_a_context_and_a_name_are_chosen(server: FakeApiServer) -> None:
    assert cluster_of(scan("context=second")).name == "other"
    assert cluster_of(scan("context=second,cluster=mine")).name == "mine"


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("context=gone", "the kubeconfig has no context 'gone'"),
        ("secrets=all", "invalid value for secrets="),
        ("x.json,context=main", "context= is only for live scans"),
    ],
)
def test_a_wrong_location_is_refused(
    server: FakeApiServer, location: str, error: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(error)):
        scan(location)


def test_refused_credentials_are_said(server: FakeApiServer, tmp_path: Path) -> None:
    server.write_kubeconfig(tmp_path / "kube", token="old")
    with pytest.raises(EnvironmentFailure, match="refused the credentials"):
        scan("")


def test_no_network_is_said(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.url = "http://127.0.0.1:9"
    server.write_kubeconfig(tmp_path / "kube")
    with pytest.raises(EnvironmentFailure, match="the API server refused every list"):
        scan("")


@pytest.mark.parametrize("text", [None, "", "a: [", "{}", "current-context: x\n"])
def test_no_usable_kubeconfig_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    path = tmp_path / "kube"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(EnvironmentFailure, match="no kubeconfig with a usable context"):
        scan("")


def test_a_role_in_a_live_list_is_aggregated_already(server: FakeApiServer) -> None:
    more = {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    server.add(role("view", rules=[{"verbs": ["get"]}], **more))
    roles = {each.name: each for each in cluster_of(scan("")).roles}
    assert not roles["view"].from_manifest
