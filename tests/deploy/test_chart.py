"""Helm chart and plain manifests: rendered, valid for Kubernetes and for answerable."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.connectors.config.readings import faults

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm"
PLAIN = DEPLOY / "kubernetes"
TLS = {"tlsSecret": "tls"}
EVERYTHING: dict[str, Any] = {
    "gateway": {
        **TLS,
        "workers": 4,
        "url": "https://gw.example",
        "hosts": ["gw.example"],
    },
    "config": {
        "issuers": {
            "corp": {
                "iss": "https://idp.example",
                "audience": "https://gw.example/mcp",
                "keys": "https://idp.example/jwks",
            }
        },
        "servers": {"files": {"url": "https://files.example/mcp"}},
        "policy": ["extra.cedar"],
    },
    "files": {"extra.cedar": "permit (principal, action, resource);\n"},
    "tokenService": {
        **TLS,
        "enabled": True,
        "url": "https://sts.example",
        "databaseSecret": "database",
        "passphraseSecret": "passphrase",
        "replicas": 3,
    },
    "web": {"url": "https://answerable.example", "clientSecret": "oidc"},
    "collector": {
        "jobs": [
            {
                "name": "aws",
                "command": "scan",
                "source": "aws:",
                "schedule": "0 * * * *",
            },
        ],
        "serviceAccount": "reader",
    },
    "envFrom": [{"secretRef": {"name": "aws"}}],
    "imagePullSecrets": [{"name": "registry"}],
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "grafanaDashboards": {"enabled": True},
}
CASES: dict[str, dict[str, Any]] = {
    "gateway": {"gateway": TLS},
    "node": {"gateway": {"kind": "DaemonSet"}, "web": {"enabled": False}},
    "mesh": {
        "gateway": {"insecure": True},
        "persistence": {"accessMode": "ReadWriteMany"},
    },
    "everything": EVERYTHING,
}


def render(values: dict[str, Any]) -> list[dict[str, Any]]:
    helm = pytest.importorskip("helm_python")
    chart = helm.Chart.load(str(CHART))
    chart.validate_schema(values)
    files = chart.render(values, name="agents", namespace="prod")
    return [
        document
        for name, text in sorted(files.items())
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]


def check_configurations(documents: list[dict[str, Any]]) -> int:
    found = [d["data"] for d in documents if d["kind"] == "ConfigMap"]
    texts = [data["answerable.yaml"] for data in found if "answerable.yaml" in data]
    for text in texts:
        assert faults(text) == []
    return len(texts)


def list_pods(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = ("Deployment", "DaemonSet", "StatefulSet")
    pods = [d["spec"]["template"]["spec"] for d in documents if d["kind"] in kinds]
    return pods + [
        d["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for d in documents
        if d["kind"] == "CronJob"
    ]


def check_pods(documents: list[dict[str, Any]]) -> None:
    """No pod runs as root, writes its root file system, or has capabilities."""
    for pod in list_pods(documents):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize(
    "name", sorted(p.name for p in PLAIN.glob("answerable-*.yaml"))
)
def test_plain_manifests_have_valid_configurations_and_no_root(name: str) -> None:
    documents = list(yaml.safe_load_all((PLAIN / name).read_text()))
    assert check_configurations(documents) >= 1
    check_pods(documents)


def test_the_chart_has_the_rules_and_dashboards_of_this_release() -> None:
    for path in (CHART / "files").iterdir():
        folder = "grafana" if path.suffix == ".json" else "prometheus"
        assert path.read_bytes() == (DEPLOY / folder / path.name).read_bytes()
    names = {path.name for path in (DEPLOY / "grafana").iterdir()}
    assert names < {path.name for path in (CHART / "files").iterdir()}


def test_each_value_is_in_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) <= set(schema["properties"])
    assert schema["additionalProperties"] is False


@pytest.mark.world
@pytest.mark.parametrize("case", sorted(CASES))
def test_the_chart_renders_valid_objects(case: str, tmp_path: Path) -> None:
    documents = render(CASES[case])
    check_configurations(documents)
    check_pods(documents)
    pytest.importorskip("kubernetes_validate")
    core = [d for d in documents if "coreos" not in d["apiVersion"]]
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all(core))
    tool = Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run(
        [str(tool), "--strict", str(path)],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.world
def test_values_without_a_secret_for_tls_or_of_an_unknown_name_are_refused() -> None:
    helm = pytest.importorskip("helm_python")
    with pytest.raises(helm.errors.HelmError, match="tlsSecret"):
        render({})
    with pytest.raises(helm.errors.HelmError):
        render({"gateway": {**TLS, "replicas": 3}})


@pytest.mark.world
@pytest.mark.parametrize(
    ("name", "case"),
    [("answerable-gateway.yaml", "gateway"), ("answerable-node.yaml", "node")],
)
def test_plain_manifests_are_those_of_the_chart(name: str, case: str) -> None:
    documents = list(yaml.safe_load_all((PLAIN / name).read_text()))
    assert documents == render(CASES[case])
