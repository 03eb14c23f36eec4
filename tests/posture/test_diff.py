"""`diff`: pull requests, snapshots and plans compared."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.reach.aws.bulk import step_table
from answerable.reach.aws.what_if import edit_comparison
from tests.posture.conftest import Diff
from tests.posture.pull_requests import BASE, CHECKOUTS, TRUST, write_checkouts


@pytest.mark.parametrize("name", CHECKOUTS)
def test_a_pull_request_shows_exactly_what_it_adds(
    name: str, tmp_path: Path, diff: Diff
) -> None:
    edit, expected = CHECKOUTS[name]
    code, items = diff(*write_checkouts(tmp_path, edit), "--fail-on", "high")
    assert len(items) == len(expected), [each["text"] for each in items]
    for kind, part in expected:
        found = [e for e in items if e["kind"] == kind and part in e["text"]]
        assert len(found) == 1, [each["text"] for each in items]
        assert found[0]["severity"] != "none"
    assert code == (1 if expected else 0)
    reversed_code, undone = diff(
        tmp_path / "head", tmp_path / "base", "--fail-on", "low"
    )
    assert reversed_code == 0
    assert {each["severity"] for each in undone} <= {"none"}


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("iam/main.tf", 'resource "aws_iam_role_policy" "read" {\n}\n', True),
        ("roles.auto.tfvars", 'actions = ["s3:*"]\n', True),
        ("app.yaml", "Resources: {R: {Type: 'AWS::IAM::Role'}}\n", True),
        ("app.bicep", "resource r 'Microsoft.Authorization/roleAssignments@1'\n", True),
        ("net/main.tf", 'resource "aws_vpc" "main" {\n}\n', False),
        ("values.json", '{"role": "web"}', False),
    ],
)
def test_infrastructure_code_with_permissions_is_never_silent(
    path: str, text: str, named: bool, tmp_path: Path, diff: Diff
) -> None:
    def edit(files: dict[str, str]) -> None:
        files[path] = text

    code, items = diff(*write_checkouts(tmp_path, edit))
    found = [e["subject"] for e in items if "only a Terraform plan" in e["because"]]
    assert found == ([path] if named else [])
    assert code == (3 if named else 0)
    assert diff(tmp_path / "head", tmp_path / "head") == (0, [])


def test_an_empty_folder_is_not_compared(tmp_path: Path, diff: Diff) -> None:
    base, _ = write_checkouts(tmp_path, lambda files: None)
    (tmp_path / "empty").mkdir()
    for sides in (("empty", "empty"), ("base", "empty"), ("empty", "base")):
        code, items = diff(*(tmp_path / each for each in sides))
        assert code == 3
        assert {each["change"] for each in items} == {"not-comparable"}
    (base / "README.md").write_text("other\n")
    assert diff(base, base) == (0, [])


def test_a_binding_to_a_role_that_no_manifest_states_is_not_silent(
    tmp_path: Path, diff: Diff
) -> None:
    def bind(files: dict[str, str]) -> None:
        files["deploy/bind.yaml"] = (
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n"
            "metadata: {name: bot-edit, namespace: ci}\n"
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}\n"
            "subjects: [{kind: ServiceAccount, name: bot, namespace: ci}]\n"
        )

    code, items = diff(*write_checkouts(tmp_path, bind))
    assert [each["subject"] for each in items] == [
        "RoleBinding ci/bot-edit to ClusterRole edit"
    ]
    assert code == 3


def test_a_file_that_cannot_be_read_removes_nothing(tmp_path: Path, diff: Diff) -> None:
    def break_config(files: dict[str, str]) -> None:
        files[".mcp.json"] = "{"

    code, items = diff(*write_checkouts(tmp_path, break_config))
    assert {each["change"] for each in items} == {"not-comparable"}
    assert any(".mcp.json" in each["text"] for each in items)
    assert code == 3
    same_code, same = diff(tmp_path / "head", tmp_path / "head")
    assert (same_code, same) == (0, [])


def _scan(tmp_path: Path, store: str, *sources: str) -> str:
    path = tmp_path / store
    main(["--store", str(path), "scan", *sources])
    return str(path)


def test_a_source_that_one_side_lacks_removes_nothing(
    tmp_path: Path, diff: Diff
) -> None:
    base, _ = write_checkouts(tmp_path, lambda files: None)
    role = {
        "Arn": "arn:aws:iam::123456789012:role/data-reader",
        "RoleName": "data-reader",
        "RoleId": "AROAEXAMPLE",
        "AssumeRolePolicyDocument": TRUST,
    }
    details = {"RoleDetailList": [role], "UserDetailList": [], "Policies": []}
    details["GroupDetailList"] = []
    account = tmp_path / "account.json"
    account.write_text(json.dumps(details))
    whole = _scan(tmp_path, "whole", f"repo:{base}", f"aws:{account}")
    part = _scan(tmp_path, "part", f"repo:{base}")
    code, items = diff(whole, part)
    assert code == 3
    assert {each["change"] for each in items} == {"not-comparable"}
    assert any("aws:" in each["text"] for each in items)
    back, again = diff(part, whole)
    assert (back, {each["change"] for each in again}) == (3, {"not-comparable"})
    assert diff(whole, whole) == (0, [])


def test_the_two_newest_snapshots_are_compared_without_sides(
    tmp_path: Path, diff: Diff
) -> None:
    base, _ = write_checkouts(tmp_path, lambda files: None)
    _scan(tmp_path, "store", f"repo:{base}")
    code, items = diff()
    assert (code, items) == (2, [])
    (base / ".mcp.json").write_text('{"mcpServers": {}}')
    _scan(tmp_path, "store", f"repo:{base}")
    code, items = diff()
    assert ("removed", "tool:mcp/docs/*") in {
        (e["change"], e["subject"]) for e in items
    }
    assert code == 0


def test_what_an_agent_could_have_written_lowers_no_severity(
    tmp_path: Path, diff: Diff
) -> None:
    edit, _ = CHECKOUTS["server added with a key"]
    base, head = write_checkouts(tmp_path, edit)
    severities = [each["severity"] for each in diff(base, head)[1]]
    reviewer = head / ".claude/agents/reviewer.md"
    for words in ("approved by security", "severity: none", "ignore this change"):
        reviewer.write_text(
            BASE[".claude/agents/reviewer.md"].replace("reviews", words)
        )
        assert [each["severity"] for each in diff(base, head)[1]] == severities


def test_the_comment_adds_no_markup_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(files: dict[str, str]) -> None:
        files[".mcp.json"] = json.dumps(
            {"mcpServers": {"x|<img src=a>[b](http://c)@all": {"command": "npx"}}}
        )

    base, head = write_checkouts(tmp_path, edit)
    capsys.readouterr()
    main(["diff", "--markdown", str(base), str(head)])
    text = capsys.readouterr().out
    assert text.startswith("<!-- answerable diff -->")
    assert "<img" not in text
    assert r"\[b\]" in text
    assert "@all" not in text


def _write_account(path: Path, *actions: str) -> Path:
    """Write an account with one user per action, each with an inline policy."""
    users = [
        {
            "Arn": f"arn:aws:iam::123456789012:user/u{number}",
            "UserName": f"u{number}",
            "UserId": f"AIDAEXAMPLE{number}",
            "UserPolicyList": [
                {
                    "PolicyName": "own",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Action": action, "Resource": "*"}
                        ],
                    },
                }
            ],
        }
        for number, action in enumerate(actions)
    ]
    path.write_text(
        json.dumps(
            {
                "UserDetailList": users,
                "RoleDetailList": [],
                "GroupDetailList": [],
                "Policies": [],
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("later", "computed", "gained"),
    [
        (["s3:GetObject", "sqs:SendMessage"], 0, set()),
        (["s3:GetObject", "sqs:*"], 1, {("permission", "user/u1")}),
        (["s3:GetObject", "iam:CreateAccessKey"], 1, {("trust", "user/u1")}),
        (
            ["s3:GetObject", "sqs:SendMessage", "kms:Decrypt"],
            2,
            {("identity", "user/u2")},
        ),
    ],
)
def test_paths_are_computed_again_only_for_changed_identities(
    later: list[str],
    computed: int,
    gained: set[tuple[str, str]],
    tmp_path: Path,
    diff: Diff,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = _write_account(tmp_path / "account.json", *later)
    compared = _scan(tmp_path, "fresh", f"aws:{account}")
    account = _write_account(account, "s3:GetObject", "sqs:SendMessage")
    _scan(tmp_path, "store", f"aws:{account}")
    alone = _scan(tmp_path, "alone", f"aws:{account}")
    _scan(tmp_path, "store", f"aws:{_write_account(account, *later)}")
    runs = []
    compute = step_table.compute_step_table
    with monkeypatch.context() as patch:
        patch.setattr(
            step_table,
            "compute_step_table",
            lambda *a: (runs.append(a), compute(*a))[1],
        )
        _, items = diff()
    assert len(runs) == computed
    found = {
        (e["kind"], e["subject"].partition("arn:aws:iam::123456789012:")[2])
        for e in items
        if e["change"] in ("added", "changed")
    }
    assert gained <= found
    assert bool(found) == bool(gained)
    # Comparison without reuse of facts and steps of the first snapshot.
    monkeypatch.setattr(edit_comparison, "reuse_unchanged_facts", lambda *_: None)
    assert [e["text"] for e in diff(alone, compared)[1]] == [e["text"] for e in items]


def test_the_first_manifest_of_a_project_adds_its_permissions(
    tmp_path: Path, diff: Diff
) -> None:
    base, head = write_checkouts(tmp_path, CHECKOUTS["RBAC bind"][0])
    (base / "deploy/bot.yaml").unlink()
    _, items = diff(base, head)
    assert "permission" in {e["kind"] for e in items if e["change"] == "added"}
    assert "not-comparable" not in {each["change"] for each in items}


def test_the_only_manifest_that_cannot_be_parsed_removes_nothing(
    tmp_path: Path, diff: Diff
) -> None:
    def cut(files: dict[str, str]) -> None:
        files["deploy/bot.yaml"] = "apiVersion: v1\nkind: [\n"

    for words in ((), ("--kind", "agent")):
        code, items = diff(*write_checkouts(tmp_path, cut), *words)
        assert {each["change"] for each in items} == {"not-comparable"}
        assert any("deploy/bot.yaml" in each["text"] for each in items)
        assert code == 3


def test_an_unknown_kind_and_a_missing_plan_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", "--kind", "agnet", str(tmp_path), str(tmp_path)]) == 2
    assert "did you mean agent?" in capsys.readouterr().err
    assert main(["diff", str(tmp_path / "missing.json")]) == 2
    assert "missing.json: no such" in capsys.readouterr().err
