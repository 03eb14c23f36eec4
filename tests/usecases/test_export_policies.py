"""`baseline learn --cloud` and `baseline export`, from a log to a policy."""

import json

import pytest

from answerable.cli.main import main
from tests.usecases.cloud_trail import ROLE, build_record, write_trail

OBJECT = "arn:aws:s3:::reports/2026/may.csv"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["--store", str(tmp_path / "store"), *words])
        found = capsys.readouterr()
        return code, found.out, found.err

    return run


def test_a_policy_allows_what_the_log_shows_and_nothing_else(run, tmp_path) -> None:
    trail = write_trail(
        tmp_path / "trail",
        [
            build_record(1, "s3:GetObject", OBJECT, "arn:aws:s3:::reports"),
            build_record(2, "s3:DeleteObject", OBJECT, error="AccessDenied"),
            build_record(3, "ec2:DescribeInstances"),
            build_record(4, "iam:CreateUser", parameters={"userName": "eve"}),
        ],
    )
    assert run("ingest", f"cloudtrail:{trail}")[0] == 0
    code, _, err = run("baseline", "learn", "reporter", "--cloud", "--identity", ROLE)
    assert (code, "baseline export" in err) == (0, True)
    code, out, err = run("baseline", "export", "reporter", "--to", "aws-session-policy")
    assert code == 0
    assert json.loads(out) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECT},
        ],
    }
    assert "not in the policy (needs-signature): iam:CreateUser" in err
    code, out, _ = run(
        "baseline", "export", "reporter", "--to", "aws-policy", "--terraform"
    )
    assert out.startswith('resource "aws_iam_policy" "reporter_aws_policy" {\n')


def test_a_cloud_profile_has_no_tools(run, tmp_path) -> None:
    trail = write_trail(tmp_path / "trail", [build_record(1, "s3:GetObject", OBJECT)])
    run("ingest", f"cloudtrail:{trail}")
    run("baseline", "learn", "reporter", "--cloud", "--identity", ROLE)
    code, out, err = run("baseline", "export", "reporter", "--to", "cedar")
    assert (code, out) == (2, "")
    assert "agent:declared/reporter has no baseline for cedar" in err


def test_an_unknown_identity_is_refused_with_the_next_step(run, tmp_path) -> None:
    trail = write_trail(tmp_path / "trail", [build_record(1, "s3:GetObject", OBJECT)])
    run("ingest", f"cloudtrail:{trail}")
    code, _, err = run(
        "baseline", "learn", "reporter", "--cloud", "--identity", f"{ROLE}2"
    )
    assert code == 2
    assert "hint: ingest an audit log" in err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("iam:*", "no action of the profile that lacks a resource has this name"),
        ("*", "no action of the profile that lacks a resource has this name"),
        ("s3:GetObject", "these lack a resource: sqs:SendMessage"),
        ("iam:createuser", "grants further permissions"),
    ],
)
def test_only_a_named_action_without_a_resource_is_allowed_on_all(
    run, tmp_path, name: str, message: str
) -> None:
    trail = write_trail(
        tmp_path / "trail",
        [
            build_record(1, "s3:GetObject", OBJECT),
            build_record(2, "sqs:SendMessage"),
            build_record(3, "iam:CreateUser"),
        ],
    )
    assert run("ingest", f"cloudtrail:{trail}")[0] == 0
    assert run("baseline", "learn", "r", "--cloud", "--identity", ROLE)[0] == 0
    export = ("baseline", "export", "r", "--to", "aws-policy", "--any-resource")
    code, out, err = run(*export, name)
    assert (code, out) == (2, "")
    assert message in err
    _, out, _ = run(*export, "sqs:sendmessage")
    allowed = {
        each["Action"]: each["Resource"] for each in json.loads(out)["Statement"]
    }
    assert allowed == {"s3:GetObject": OBJECT, "sqs:SendMessage": "*"}
