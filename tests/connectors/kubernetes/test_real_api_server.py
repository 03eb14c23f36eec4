"""A real kube-apiserver: its authorizer's answers are ours, our role suffices to scan it,
it reviews tokens for the token service, and it takes the chart: `make world`.
"""

import asyncio
import random
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.cli.main import main
from answerable.model.config import TokenReviewConfig
from answerable.model.kubernetes_ids import KubernetesSubject
from answerable.reach.kubernetes.catalogue import PolicyRule, RbacBinding, RbacRole
from answerable.reach.kubernetes.cluster_access import ClusterAccess
from answerable.reach.kubernetes.rule_matching import KubernetesRequest, build_request
from answerable.server.issuers.token_review import TokenReviewer
from tests.connectors.kubernetes.kubernetes_objects import cluster_of, scan
from tests.connectors.kubernetes.real_api_server import ApiServer, run_api_server
from tests.deploy.test_chart import EVERYTHING, render
from tests.reach.kubernetes.strategies import (
    ACCOUNTS,
    NAMES,
    NAMESPACES,
    USERS,
    random_cluster,
    seeded,
)
from tests.reference.kubernetes.rbac import RBAC

pytestmark = pytest.mark.world

QUESTIONS, CLUSTERS = 2_000, 40
RBAC_API = f"/apis/{RBAC}/v1"
DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
# Groups and versions of the chart that this server is too old for, or that are extensions.
TOO_OLD = ["GET /apis/batch/v1/cronjobs"]  # v1 since 1.21
TOO_NEW = {"policy/v1", "batch/v1", "monitoring.coreos.com/v1"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server with namespaces and service accounts."""
    with run_api_server(tmp_path_factory.mktemp("kube")) as running:
        for namespace in NAMESPACES:
            running.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
            for name in ACCOUNTS:
                _create_account(running, namespace, name)
        yield running


def _create_account(server: ApiServer, namespace: str, name: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    server.create(path, {"metadata": {"name": name}})


def _place(kind: str, namespace: str) -> str:
    if namespace:
        return f"{RBAC_API}/namespaces/{namespace}/{kind}s"
    return f"{RBAC_API}/cluster{kind}s"


def _describe_rule(rule: PolicyRule) -> dict[str, Any]:
    return {
        "verbs": rule.verbs,
        "apiGroups": rule.api_groups,
        "resources": rule.resources,
        "resourceNames": rule.resource_names,
        "nonResourceURLs": rule.non_resource_urls,
    }


def _add_role(server: ApiServer, role: RbacRole, prefix: str) -> None:
    """Create a role; the server refuses some that a file can hold."""
    server.call(
        "POST",
        _place("role", role.namespace),
        {
            "metadata": {"name": prefix + role.name},
            "rules": [_describe_rule(rule) for rule in role.rules],
        },
    )


def _add_binding(server: ApiServer, binding: RbacBinding, prefix: str) -> None:
    kind = "ServiceAccount"
    subjects = [
        {
            "kind": each.kind,
            "name": each.name,
            **({"namespace": each.namespace or "apps"} if each.kind == kind else {}),
        }
        for each in binding.subjects
        # `system:masters` of all would make every answer of the server a yes.
        if each.name != "system:masters"
    ]
    server.call(
        "POST",
        _place("rolebinding", binding.namespace),
        {
            "metadata": {"name": prefix + binding.name},
            "roleRef": {
                "apiGroup": RBAC,
                "kind": binding.role_kind,
                "name": prefix + binding.role,
            },
            "subjects": subjects,
        },
    )


def _remove_bindings(server: ApiServer) -> None:
    for namespace in ("", *NAMESPACES):
        place = _place("rolebinding", namespace)
        for each in server.call("GET", place)[1]["items"]:
            name = each["metadata"]["name"]
            if name.startswith("t"):
                assert server.call("DELETE", f"{place}/{name}")[0] == 200


def _list_subjects() -> Iterator[tuple[KubernetesSubject, str, list[str]]]:
    """Yield each identity: its id, and its user name and groups as the server has them."""
    everyone = "system:authenticated"
    for namespace in NAMESPACES:
        for name in ACCOUNTS:
            subject = KubernetesSubject("prod", "serviceaccount", name, namespace)
            groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
            yield subject, subject.username, [*groups, everyone]
    for name in USERS:
        yield KubernetesSubject("prod", "user", name), name, [everyone]


def _draw_request(
    rng: random.Random, rules: Sequence[PolicyRule]
) -> tuple[KubernetesRequest, dict[str, Any]]:
    """Draw a request that a rule may allow, as ours and as a SubjectAccessReview."""
    rule = rng.choice(rules)
    verb = rng.choice(rule.verbs).replace("*", "delete")
    if rule.non_resource_urls:
        url = rng.choice(rule.non_resource_urls).replace("*", rng.choice(("", "a/b")))
        attributes = {"nonResourceAttributes": {"verb": verb, "path": url or "/x"}}
        return KubernetesRequest(verb, url=url or "/x"), attributes
    combined = rng.choice(rule.resources).replace("*", "pods")
    resource, _, subresource = combined.partition("/")
    group = rng.choice(rule.api_groups).replace("*", "apps")
    name = rng.choice((*rule.resource_names, "", rng.choice(NAMES)))
    namespace = rng.choice(("", *NAMESPACES))
    attributes = {
        "resourceAttributes": {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "name": name,
            "namespace": namespace,
        }
    }
    kind = (resource, group, subresource)
    return build_request(verb, kind, name, namespace), attributes


def _ask(
    server: ApiServer, user: str, groups: list[str], attributes: dict[str, Any]
) -> bool:
    answer = server.create(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {"spec": {"user": user, "groups": groups, **attributes}},
    )
    return bool(answer["status"]["allowed"])


def test_every_answer_is_the_servers_own(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(server.write_kubeconfig(tmp_path / "kube")))
    rng = seeded(1_124)
    subjects = list(_list_subjects())
    different, allowed, asked = [], 0, 0
    for number in range(CLUSTERS):
        drawn, prefix = random_cluster(rng), f"t{number}-"
        rules = [rule for role in drawn.roles for rule in role.rules]
        for role in drawn.roles:
            _add_role(server, role, prefix)
        for binding in drawn.bindings:
            _add_binding(server, binding, prefix)
        sync = scan("")
        assert [each.place for each in sync.problems] == TOO_OLD
        access = ClusterAccess([cluster_of(sync)])
        for _ in range(QUESTIONS // CLUSTERS):
            subject, user, groups = rng.choice(subjects)
            request, attributes = _draw_request(rng, rules)
            asked_number = access.get_number(subject)
            own = access.find_path(asked_number, request, direct=True) is not None
            server_answer = _ask(server, user, groups, attributes)
            asked, allowed = asked + 1, allowed + server_answer
            if own != server_answer:
                different.append((str(subject), attributes, server_answer))
        if number % 5 == 4:
            _remove_bindings(server)
    assert different == []
    assert asked == QUESTIONS
    assert QUESTIONS // 20 < allowed < QUESTIONS // 2


def test_the_shipped_role_suffices_to_scan(
    server: ApiServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _create_account(server, "apps", "scanner")
    text = (DEPLOY / "kubernetes" / "read-role.yaml").read_text()
    role = yaml.safe_load(text)
    server.create(f"{RBAC_API}/clusterroles", role)
    value = "c4n4ryValue9"
    server.create(
        "/api/v1/namespaces/apps/secrets",
        {"metadata": {"name": "db"}, "stringData": {"password": value}},
    )
    token = server.issue_token("apps", "scanner")
    config = server.write_kubeconfig(tmp_path / "kube", token)
    monkeypatch.setenv("KUBECONFIG", str(config))
    store = str(tmp_path / "store")
    assert main(["--store", store, "scan", "k8s:"]) == 3  # nothing may be read
    capsys.readouterr()
    name = role["metadata"]["name"]
    server.create(
        f"{RBAC_API}/clusterrolebindings",
        {
            "metadata": {"name": "scanner"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [
                {"kind": "ServiceAccount", "name": "scanner", "namespace": "apps"}
            ],
        },
    )
    assert main(["--store", store, "scan", "k8s:"]) == 3
    (warning,) = re.findall("^warning: .*", capsys.readouterr().err, re.MULTILINE)
    assert TOO_OLD[0] in warning
    asked = "k8s:prod/apps/serviceaccount/scanner"
    pods = "k8s:prod/apps/pods"
    assert main(["--store", store, "can", asked, "list", pods, "--allow-partial"]) == 0
    output = capsys.readouterr()
    assert value not in output.out + output.err
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert not any(value.encode() in path.read_bytes() for path in files)


def test_a_token_is_reviewed_by_the_server(server: ApiServer, tmp_path: Path) -> None:
    _create_account(server, "sys", "reviewer")
    server.create(
        f"{RBAC_API}/clusterrolebindings",
        {
            "metadata": {"name": "reviewer"},
            "roleRef": {
                "apiGroup": RBAC,
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "reviewer", "namespace": "sys"}
            ],
        },
    )
    own = tmp_path / "token"
    own.write_text(server.issue_token("sys", "reviewer"))
    own.chmod(0o600)
    config = TokenReviewConfig(server.url, str(server.certificate), str(own))
    reviewer = TokenReviewer(config)
    token = server.issue_token("apps", "bot", "answerable")

    result = asyncio.run(reviewer.review_token(token, "answerable"))
    assert (result.good, result.username) == (True, "system:serviceaccount:apps:bot")
    for bad, audience in ((token, "another"), (token[:-4] + "AAAA", "answerable")):
        assert not asyncio.run(reviewer.review_token(bad, audience)).good
    path = "/api/v1/namespaces/apps/serviceaccounts/bot"
    assert server.call("DELETE", path)[0] == 200
    _create_account(server, "apps", "bot")  # of the same name, but another uid
    until = time.monotonic() + 30  # the server remembers a token for ten seconds
    while asyncio.run(reviewer.review_token(token, "answerable")).good:
        assert time.monotonic() < until
        time.sleep(0.5)


def test_the_chart_is_accepted(server: ApiServer) -> None:
    server.create("/api/v1/namespaces", {"metadata": {"name": "prod"}})
    refused, skipped, created = [], set(), 0
    values = {**EVERYTHING, "serviceMonitor": {}, "prometheusRule": {}}
    for document in render(values):
        version, kind = document["apiVersion"], document["kind"]
        if version in TOO_NEW:
            skipped.add(version)
            continue
        root = "/api/v1" if version == "v1" else f"/apis/{version}"
        plural = kind.lower()[:-1] + "ies" if kind.endswith("y") else kind.lower() + "s"
        path = f"{root}/namespaces/prod/{plural}"
        if kind.startswith("Cluster"):
            path = f"{root}/{plural}"
        status, answer = server.call("POST", path, document)
        if status == 201:
            created += 1
        else:
            refused.append((kind, document["metadata"]["name"], answer.get("message")))
    assert refused == []
    assert skipped == {"policy/v1", "batch/v1"}
    assert created >= 12
