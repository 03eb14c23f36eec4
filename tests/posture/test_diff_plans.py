"""`diff` of Terraform plans."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from tests.posture.conftest import Diff
from tests.posture.pull_requests import (
    PLANS,
    TRUST,
    build_plan,
    build_resource,
    build_role,
)


def _write_plan(tmp_path: Path, plan: dict[str, Any]) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    return path


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_shows_exactly_what_it_adds_to_its_prior_state(
    name: str, tmp_path: Path, diff: Diff
) -> None:
    plan, expected = PLANS[name]
    code, items = diff(_write_plan(tmp_path, plan), "--fail-on", "medium")
    assert [each["text"] for each in items] == [*expected]
    assert code == (1 if expected else 0)


def test_an_attachment_known_after_the_apply_follows_its_reference(
    tmp_path: Path, diff: Diff
) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    added = [
        build_resource(
            "aws_iam_policy.all", {"name": "all", "policy": json.dumps(document)}
        ),
        build_resource("aws_iam_role_policy_attachment.all", {"role": "data-reader"}),
    ]
    reference = {"references": ["aws_iam_policy.all.arn", "aws_iam_policy.all"]}
    configuration = {
        "root_module": {
            "resources": [
                {
                    "address": "aws_iam_role_policy_attachment.all",
                    "expressions": {"policy_arn": reference},
                }
            ]
        }
    }
    base = build_role("s3:GetObject")
    plan = build_plan(base, [*base, *added], configuration=configuration)
    _, items = diff(_write_plan(tmp_path, plan))
    gained = {(e["action"], e["severity"]) for e in items if e["kind"] == "permission"}
    assert ("kms:*", "high") in gained


def test_a_change_of_a_plan_that_is_not_evaluated_is_named(
    tmp_path: Path, diff: Diff
) -> None:
    changed = {
        "address": "aws_s3_bucket_policy.data",
        "type": "aws_s3_bucket_policy",
        "change": {"actions": ["update"]},
    }
    same = build_role("s3:GetObject")
    code, items = diff(_write_plan(tmp_path, build_plan(same, same, [changed])))
    assert [(each["change"], each["subject"]) for each in items] == [
        ("not-comparable", "aws_s3_bucket_policy.data")
    ]
    assert code == 3


WHOLE = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)
WIDE = build_resource(
    "aws_iam_role_policy.wide", {"name": "w", "role": "data-reader", "policy": WHOLE}
)


def _cut_plan(part: str) -> dict[str, Any]:
    """Return a plan that adds a policy, without one of its parts."""
    base = build_role("s3:GetObject")
    plan = build_plan(base, [*base, WIDE])
    values = {"planned_values": base, "prior_state": base}
    if part in values:
        plan[part] = {"values": {"root_module": {"resources": values[part]}}}
        plan[part] = plan[part]["values"] if part == "planned_values" else plan[part]
    if part == "values":
        plan["resource_changes"][-1]["change"]["after"] = None
        plan["planned_values"]["root_module"]["resources"].pop()
    if part == "entry":
        plan["resource_changes"].pop()
    if part in ("errored", "complete"):
        plan |= {part: part == "errored"}
    if part == "deferred_changes":
        plan[part] = [{"reason": "x", "resource_change": plan["resource_changes"][-1]}]
    return plan


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("planned_values", 1),
        ("values", 3),
        ("entry", 3),
        ("errored", 3),
        ("complete", 3),
        ("deferred_changes", 3),
    ],
)
def test_what_one_part_of_a_plan_lacks_is_not_silent(
    part: str, expected: int, tmp_path: Path, diff: Diff
) -> None:
    words = ("--fail-on", "high") if expected == 1 else ()
    code, items = diff(_write_plan(tmp_path, _cut_plan(part)), *words)
    assert code == expected
    changes = {each["change"] for each in items}
    assert ("not-comparable" in changes) == (expected == 3)


def test_a_resource_that_a_targeted_plan_leaves_out_is_not_removed(
    tmp_path: Path, diff: Diff
) -> None:
    base = build_role("s3:GetObject")
    plan = build_plan(base, base)
    plan["planned_values"]["root_module"]["resources"].pop()
    plan["resource_changes"].pop()
    code, items = diff(_write_plan(tmp_path, plan))
    assert [each["text"] for each in items] == [
        "? source aws_iam_role_policy.read: changes, and is not evaluated"
    ]
    assert code == 3


@pytest.mark.parametrize(
    "values",
    [
        {"role": "deployer", "policy_arn": "arn:aws:iam::aws:policy/IAMFullAccess"},
        {"policy_arn": "arn:aws:iam::aws:policy/IAMFullAccess"},
        {"role": "data-reader"},
    ],
)
def test_an_attachment_to_what_no_resource_states_is_not_silent(
    values: dict[str, str], tmp_path: Path, diff: Diff
) -> None:
    base = build_role("s3:GetObject")
    added = build_resource("aws_iam_role_policy_attachment.x", values)
    code, items = diff(_write_plan(tmp_path, build_plan(base, [*base, added])))
    assert [(each["change"], each["subject"]) for each in items] == [
        ("not-comparable", "aws_iam_role_policy_attachment.x")
    ]
    assert code == 3
    same = build_plan([*base, added], [*base, added])
    assert diff(_write_plan(tmp_path, same)) == (0, [])


@pytest.mark.parametrize(
    ("address", "values"),
    [
        ("kubernetes_manifest.bind", {}),
        ("kubernetes_cluster_role_v1.wide", {"metadata": [{"name": "wide"}]}),
        (
            "kubernetes_cluster_role_binding_v1.bind",
            {
                "metadata": [{"name": "bind"}],
                "role_ref": [{"kind": "ClusterRole", "name": "cluster-admin"}],
                "subject": [{"kind": "ServiceAccount", "namespace": "ci"}],
            },
        ),
        (
            "aws_iam_role.fresh",
            {
                "name": "fresh",
                "arn": "arn:aws:iam::123456789012:role/fresh",
                "assume_role_policy": json.dumps(TRUST),
                "inline_policy": [{"name": "later"}],
            },
        ),
    ],
)
def test_permissions_known_after_the_apply_are_not_silent(
    address: str, values: dict[str, Any], tmp_path: Path, diff: Diff
) -> None:
    base = build_role("s3:GetObject")
    added = build_resource(address, values)
    code, items = diff(_write_plan(tmp_path, build_plan(base, [*base, added])))
    gaps = [each["subject"] for each in items if each["change"] == "not-comparable"]
    assert gaps == [address]
    assert code == 3


def test_an_attached_administrator_policy_adds_every_action(
    tmp_path: Path, diff: Diff
) -> None:
    base = build_role("s3:GetObject")
    values = {
        "role": "data-reader",
        "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess",
    }
    added = build_resource("aws_iam_role_policy_attachment.x", values)
    plan = build_plan(base, [*base, added])
    code, items = diff(_write_plan(tmp_path, plan), "--fail-on", "high")
    assert code == 1
    assert any(each["after"] == "always" for each in items)


def test_the_hint_for_a_binary_plan_converts_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.out").write_bytes(b"PK\3\4\0")
    assert main(["diff", str(tmp_path), str(tmp_path / "plan.out")]) == 2
    err = capsys.readouterr().err
    assert "plan.out: a binary file" in err
    assert "terraform show -json plan.out > plan.json" in err


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format_version": "2.0"}', "nothing"]
)
def test_a_file_that_is_no_plan_is_refused(
    text: str, tmp_path: Path, diff: Diff
) -> None:
    path = tmp_path / "plan.json"
    if text != "no file":
        path.write_text(text)
    assert diff(path) == (2, [])
