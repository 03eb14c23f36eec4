"""Each rule over scanned files: found, not found, and not evaluated."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.posture.rule_catalogue import RULES_BY_ID
from tests.estate.seven import arn, document, role
from tests.posture.conftest import KEY, SECRET, Findings, write

CASES: list[dict[str, Any]] = yaml.load(
    (Path(__file__).parents[1] / "cases" / "findings.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)
# Rows of these rules are in test_rules.py and test_gateway_limits.py: a directory, a root
# user, logs or the gateway's configuration are needed.
APART = {
    "owner-left",
    "root-key",
    "unused-credential",
    "unused-access",
    "open-argument-schema",
    "unused-action",
}


def fill(text: str) -> str:
    return (
        text.replace("KEY", KEY)
        .replace("SECRET", SECRET)
        .replace(f"AWS_ACCESS_{KEY}", "AWS_ACCESS_KEY")
        .replace(f"AWS_{SECRET}_ACCESS_{KEY}", "AWS_SECRET_ACCESS_KEY")
        .replace(f"AWS_{SECRET}_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY")
    )


def sources(root: Path, case: dict[str, Any]) -> list[str]:
    """Write the files of a case, and name its sources."""
    found = []
    if "home" in case:
        files = {name: fill(text) for name, text in case["home"].items()}
        found.append(f"home:{write(root / 'dana', files)}")
    if "repo" in case:
        files = {name: fill(text) for name, text in case["repo"].items()}
        files[".git/HEAD"] = "ref: refs/heads/main\n"
        found.append(f"repo:{write(root / 'shop', files)}")
    if "aws" in case:
        (root / "account.json").write_text(json.dumps(account(case["aws"])))
        found.append(f"aws:{root / 'account.json'}")
    if "gcp" in case:
        files = {"policies.json": build_policies(case["gcp"].get("policies", {}))}
        files |= {
            f"{name}.json": json.dumps(case["gcp"][name])
            for name in ("organization", "projects", "pools")
            if name in case["gcp"]
        }
        found.append(f"gcp:{write(root / 'google', files)}")
    if "k8s" in case:
        (root / "cluster.yaml").write_text(case["k8s"])
        found.append(f"k8s:{root / 'cluster.yaml'},cluster=c1")
    if "keys" in case:
        listed = {
            "UserName": case["keys"]["user"],
            "AccessKeyId": KEY,
            "Status": "Active",
            "CreateDate": case["keys"]["created"],
        }
        (root / "keys.json").write_text(json.dumps({"AccessKeyMetadata": [listed]}))
        found.append(f"aws-keys:{root / 'keys.json'}")
    return found


def build_policies(spec: dict[str, dict[str, list[str]]]) -> str:
    """Build allow policies as an asset export writes them: resource, role, members."""
    return json.dumps(
        [
            {
                "name": resource,
                "assetType": "iam.googleapis.com/ServiceAccount",
                "iamPolicy": {
                    "bindings": [
                        {"role": role, "members": members}
                        for role, members in bindings.items()
                    ]
                },
            }
            for resource, bindings in spec.items()
        ]
    )


def account(spec: dict[str, Any]) -> dict[str, object]:
    users = [
        {
            "Path": "/",
            "UserName": name,
            "UserId": f"AIDA{name.upper()}",
            "Arn": arn("user", name),
            "CreateDate": "2020-05-05T05:05:05Z",
            "GroupList": [],
            "UserPolicyList": [
                {
                    "PolicyName": "inline",
                    "PolicyDocument": document({"Effect": "Allow", **each["allow"]}),
                }
            ],
            "AttachedManagedPolicies": [],
            "Tags": [],
        }
        for name, each in spec.get("users", {}).items()
    ]
    roles = [
        role(name, each["trust"], {"Effect": "Allow", **each["allow"]})
        for name, each in spec.get("roles", {}).items()
    ]
    return {
        "UserDetailList": users,
        "GroupDetailList": [],
        "RoleDetailList": roles,
        "Policies": [],
        "IsTruncated": False,
    }


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_findings_of_a_case(
    findings: Findings, tmp_path: Path, case: dict[str, Any]
) -> None:
    _, items = findings(*sources(tmp_path, case))
    found = [each for each in items if each["state"] == "open"]
    rules = {each["rule"] for each in found}
    unknown = {each["rule"] for each in items if each["state"] == "not-evaluated"}
    for rule, ends in case.get("found", {}).items():
        subjects = [each["subject"] for each in found if each["rule"] == rule]
        for end in map(fill, ends):
            assert [s for s in subjects if end in s], (rule, end, subjects)
        assert len(subjects) >= len(ends), (rule, subjects)
        assert subjects, rule
    for rule, number in case.get("only", {}).items():
        assert sum(each["rule"] == rule for each in found) == number, rule
    assert not rules & set(case.get("absent", ()))
    missing = [each["subject"] for each in items if each["state"] == "not-evaluated"]
    assert set(case.get("unknown", ())) <= set(missing)
    assert set(case.get("not_evaluated", ())) <= unknown
    assert SECRET not in json.dumps(items)


@pytest.mark.parametrize("kind", ["found", "absent", "not_evaluated"])
def test_each_rule_has_a_row_of_each_kind(kind: str) -> None:
    named = {rule for case in CASES for rule in case.get(kind, ())}
    assert named <= set(RULES_BY_ID)
    assert set(RULES_BY_ID) - named <= APART
