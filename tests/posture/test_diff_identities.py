"""`diff` of an account that gains or loses an identity."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from tests.estate.seven import account, role

FRESH = "arn:aws:iam::222233334444:role/fresh"
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
MANIFEST = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: fresh, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: fresh}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: fresh, namespace: shop}]
"""


def compare(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *accounts: dict[str, object],
) -> tuple[int, list[dict[str, Any]]]:
    """Scan one account twice, and compare the snapshots."""
    store, file = (
        ["--store", str(tmp_path / "store"), "-o", "json"],
        tmp_path / "a.json",
    )
    for each in accounts:
        file.write_text(json.dumps(each))
        main([*store, "scan", f"aws:{file}"])
    capsys.readouterr()
    code = main([*store, "diff", "--fail-on", "high"])
    return code, json.loads(capsys.readouterr().out)["items"]


def with_role(statement: dict[str, object]) -> dict[str, object]:
    """Return the account with one more role."""
    found = account()
    roles = found["RoleDetailList"]
    assert isinstance(roles, list)
    return found | {"RoleDetailList": [*roles, role("fresh", TRUST, statement)]}


@pytest.mark.parametrize(
    ("action", "code", "severity"), [("*", 1, "high"), ("s3:GetObject", 0, "low")]
)
def test_the_permissions_of_an_added_role_are_listed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    action: str,
    code: int,
    severity: str,
) -> None:
    wide = with_role({"Effect": "Allow", "Action": action, "Resource": "*"})
    found, items = compare(tmp_path, capsys, account(), wide)
    assert found == code
    granted = [each for each in items if each["kind"] == "permission"]
    assert {(each["subject"], each["change"]) for each in granted} == {(FRESH, "added")}
    assert granted[0]["severity"] == severity
    assert [e["subject"] for e in items if e["kind"] == "identity"] == [FRESH]


def test_a_removed_role_is_one_line_and_no_missing_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = with_role({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    code, items = compare(tmp_path, capsys, wide, account())
    assert code == 0
    assert [(each["kind"], each["change"]) for each in items] == [
        ("identity", "removed")
    ]


def test_an_added_service_account_shows_its_binding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("base", "head"):
        (tmp_path / name / ".git").mkdir(parents=True)
        namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
        (tmp_path / name / "shop.yaml").write_text(namespace)
    (tmp_path / "head" / "fresh.yaml").write_text(MANIFEST)
    sides = [str(tmp_path / name) for name in ("base", "head")]
    code = main(["-o", "json", "diff", *sides, "--fail-on", "high"])
    items = json.loads(capsys.readouterr().out)["items"]
    assert code == 1, [each["text"] for each in items]
    assert any("serviceaccount/fresh" in each["subject"] for each in items)


def test_other_changes_are_found_when_a_role_is_added_and_another_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Identities are numbered anew; only those whose own access differs are listed."""
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    before, after = with_role(read), account()
    roles = after["RoleDetailList"]
    assert isinstance(roles, list)
    wider = {
        "PolicyName": "more",
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [read]},
    }
    for each in roles:
        if each["RoleName"] == "customer-reader":
            each["RolePolicyList"].append(wider)
    roles.insert(0, role("aaa", TRUST, read))
    code, items = compare(tmp_path, capsys, before, after)
    assert code == 0
    gained = [(e["subject"], e["kind"]) for e in items if e["severity"] != "none"]
    reader = "arn:aws:iam::222233334444:role/customer-reader"
    fresh = FRESH.replace("fresh", "aaa")
    assert {(reader, "permission"), (fresh, "permission"), (fresh, "identity")} == set(
        gained
    )
    removed = [e["subject"] for e in items if e["change"] == "removed"]
    assert removed == [FRESH]
