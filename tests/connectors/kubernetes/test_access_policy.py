"""The ClusterRole that is shipped allows what a live scan calls, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.cli.main import main
from answerable.connectors.kubernetes.declaration import DECLARATION
from answerable.connectors.kubernetes.kinds import KINDS


def rules(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(text)["rules"]
    return found


def test_the_shipped_role_is_the_one_that_is_printed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["where", "--policy", "clusterrole", "k8s:"]) == 0
    shipped = root / "deploy" / "kubernetes" / "read-role.yaml"
    assert capsys.readouterr().out == shipped.read_text(encoding="utf-8")


def test_the_role_allows_exactly_the_declared_calls(root: Path) -> None:
    text = (root / "deploy/kubernetes/read-role.yaml").read_text(encoding="utf-8")
    allowed = {
        f"{verb} {resource}{'.' if group else ''}{group}"
        for rule in rules(text)
        if "resourceNames" not in rule
        for verb in rule["verbs"]
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
    }
    declared = {each for each in DECLARATION.permissions if each.startswith("list ")}
    assert allowed == declared
    assert {each.plural for each in KINDS} - {"secrets"} == {
        each.removeprefix("list ").partition(".")[0] for each in declared
    }
    verbs = {verb for rule in rules(text) for verb in rule["verbs"]}
    assert verbs == {"get", "list"}
    assert "secrets" not in text


def test_a_role_is_for_kubernetes_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["where", "--policy", "clusterrole", "aws:"]) == 2
    assert "is for a live cluster (got aws)" in capsys.readouterr().err
    assert main(["where", "--policy", "iam", "k8s:"]) == 2
