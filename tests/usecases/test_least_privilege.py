"""`least-privilege`, from account details and a log to a policy with its proofs."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from answerable.cli.main import main
from tests.usecases.cloud_trail import ACCOUNT, ROLE, build_record, write_trail

OBJECT = "arn:aws:s3:::reports/2026/may.csv"
PASSED = f"arn:aws:iam::{ACCOUNT}:role/worker"
WIDE = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]


def write_account(
    file: Path, statements: object, attached: tuple[object, ...] = ()
) -> Path:
    """Write the account details of two roles; the first has the statements."""

    def role(arn: str, number: int, policies: object) -> dict[str, object]:
        return {
            "Path": "/",
            "RoleName": arn.rpartition("/")[2],
            "RoleId": f"AROAEXAMPLEEXAMPLE{number:03}",
            "Arn": arn,
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "RolePolicyList": policies,
            "AttachedManagedPolicies": [],
            "InstanceProfileList": [],
        }

    own = {"Version": "2012-10-17", "Statement": statements}
    roles = [
        role(ROLE, 1, [{"PolicyName": "own", "PolicyDocument": own}]),
        role(PASSED, 2, []),
    ]
    roles[0]["AttachedManagedPolicies"] = list(attached)
    details = {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": roles,
        "Policies": [],
        "IsTruncated": False,
    }
    file.write_text(json.dumps(details))
    return file


@pytest.fixture
def derive(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def derive(
        records, statements=WIDE, *words: str, attached=()
    ) -> tuple[int, Mapping[str, object]]:
        store = ["--store", str(tmp_path / "store")]
        if statements is not None:
            file = write_account(tmp_path / "account.json", statements, attached)
            assert main([*store, "scan", f"aws:{file}"]) == 0
        trail = write_trail(tmp_path / "trail", records)
        assert main([*store, "ingest", f"cloudtrail:{trail}"]) == 0
        capsys.readouterr()
        code = main([*store, "least-privilege", ROLE, "-o", "json", *words])
        return code, json.loads(capsys.readouterr().out)["items"][0]

    return derive


def statements(item: Mapping[str, object]) -> list[dict[str, object]]:
    policies = item["policies"]
    assert isinstance(policies, list)
    return [one for each in policies for one in json.loads(each["text"])["Statement"]]


def proofs(item: Mapping[str, object]) -> dict[str, str]:
    found = item["proofs"]
    assert isinstance(found, list)
    return {each["proof"]: each["verdict"] for each in found}


HELD = {"subset-of-today": "holds", "observed-still-allowed": "holds"}


def test_the_policy_has_the_observed_calls_and_both_proofs_hold(derive) -> None:
    code, item = derive(
        [
            build_record(1, "s3:GetBucketEncryption", "arn:aws:s3:::reports"),
            build_record(2, "s3:DeleteBucket", "arn:aws:s3:::x", error="AccessDenied"),
            build_record(3, "ec2:DescribeInstances"),
            build_record(4, "s3:PutBucketAcl", "arn:aws:s3:::y", error="NoSuchBucket"),
        ]
    )
    assert (code, proofs(item)) == (0, HELD)
    assert statements(item) == [
        {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "s3:GetEncryptionConfiguration",
            "Resource": "arn:aws:s3:::reports",
        },
    ]
    assert (item["used"], item["kept"]) == (2, 2)
    assert item["granted"] > 10_000


def test_a_passed_role_is_derived_from_the_parameters(derive) -> None:
    parameters = {
        "functionName": "report",
        "role": PASSED,
        "environment": {"variables": {"role": f"{PASSED}-of-an-agent"}},
    }
    code, item = derive(
        [build_record(1, "lambda:CreateFunction20150331", parameters=parameters)]
    )
    assert (code, proofs(item)) == (0, HELD)
    assert {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": PASSED,
    } in statements(item)
    actions = {each["action"]: each["privileged"] for each in item["actions"]}
    assert actions == {"iam:PassRole": True, "lambda:CreateFunction": False}


def test_conditions_and_denies_of_today_are_kept(derive) -> None:
    condition = {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}
    deny = {
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::reports/secret/*",
    }
    today = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition},
        deny,
    ]
    code, item = derive([build_record(1, "s3:GetObject", OBJECT)], today)
    assert (code, proofs(item)) == (0, HELD)
    assert statements(item) == [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": OBJECT,
            "Condition": condition,
        },
        deny,
    ]


def test_an_unnamed_resource_keeps_the_resources_of_today(derive) -> None:
    """Not `*`: the log does not name the queue, but today's policy does."""
    today = [
        {
            "Effect": "Allow",
            "Action": ["sqs:*", "s3:*"],
            "Resource": [
                f"arn:aws:sqs:eu-central-1:{ACCOUNT}:in",
                "arn:aws:s3:::reports/*",
            ],
        }
    ]
    code, item = derive([build_record(1, "sqs:ReceiveMessage")], today)
    assert (code, proofs(item)) == (0, HELD)
    (only,) = statements(item)
    assert only["Resource"] == f"arn:aws:sqs:eu-central-1:{ACCOUNT}:in"


def test_a_call_that_today_does_not_allow_is_omitted(derive) -> None:
    today = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]
    code, item = derive(
        [
            build_record(1, "s3:GetObject", OBJECT),
            build_record(
                2, "sqs:ReceiveMessage", f"arn:aws:sqs:eu-central-1:{ACCOUNT}:q"
            ),
        ],
        today,
    )
    assert (code, proofs(item)) == (0, HELD)
    assert {each["action"]: each["state"] for each in item["actions"]} == {
        "s3:GetObject": "kept",
        "sqs:ReceiveMessage": "not-granted",
    }
    assert item["omitted"][0]["reason"] == "would-widen"


def test_a_call_that_an_uncollected_policy_may_allow_is_not_known(derive) -> None:
    own = f"arn:aws:iam::{ACCOUNT}:policy/own"
    calls = [
        build_record(1, "s3:GetObject", OBJECT),
        build_record(2, "ec2:RunInstances"),
    ]
    for today, states in (
        ("s3:*", {"s3:GetObject": "kept", "ec2:RunInstances": "not-known"}),
        ("sqs:*", {"s3:GetObject": "not-known", "ec2:RunInstances": "not-known"}),
    ):
        code, item = derive(
            calls,
            [{"Effect": "Allow", "Action": today, "Resource": "*"}],
            attached=[{"PolicyName": "own", "PolicyArn": own}],
        )
        assert code != 0
        assert proofs(item)["subset-of-today"] == "not-known"
        assert {each["action"]: each["state"] for each in item["actions"]} == states
        texts = " ".join(each["text"] for each in item["omitted"])
        assert "as far as they are known" in texts
        assert "today" not in texts


def test_data_events_that_no_log_records_are_not_unused(derive) -> None:
    _, item = derive([build_record(1, "ec2:DescribeInstances")])
    s3 = next(each for each in item["services"] if each["service"] == "s3")
    assert s3["not_recorded"] > 0
    assert s3["used"] == 0
    sqs = next(each for each in item["services"] if each["service"] == "ec2")
    assert (sqs["used"], sqs["not_recorded"]) == (1, 0)


def test_without_the_account_nothing_is_proved(derive) -> None:
    code, item = derive([build_record(1, "s3:GetObject", OBJECT)], None)
    assert (code, set(proofs(item).values())) == (3, {"not-known"})
    assert (item["granted"], item["kept"]) == (None, None)
    assert statements(item)[0]["Resource"] == OBJECT


def test_a_call_needs_resources_that_the_log_does_not_name(derive) -> None:
    """RunInstances names the image alone; it also needs a subnet, a volume, ..."""
    image = "arn:aws:ec2:eu-central-1::image/ami-1"
    code, item = derive([build_record(1, "ec2:RunInstances", image)])
    assert (code, proofs(item)) == (0, HELD)
    (only,) = statements(item)
    assert image in only["Resource"]
    assert "arn:aws:ec2:*:*:subnet/*" in only["Resource"]
    assert "*" not in only["Resource"]


def test_the_policy_is_written_as_terraform(derive, tmp_path, capsys) -> None:
    derive([build_record(1, "s3:PutObject", "arn:aws:s3:::reports/*")])
    store = str(tmp_path / "store")
    code = main(
        ["--store", store, "least-privilege", ROLE, "--policy", "-", "--terraform"]
    )
    out = capsys.readouterr().out
    assert code == 0
    assert out.startswith('resource "aws_iam_policy" "reporter_aws_policy" {\n')
    assert "arn:aws:s3:::reports/$${*}" in out


def test_events_that_the_store_lacks_are_named(tmp_path, capsys, derive) -> None:
    derive([build_record(1, "s3:GetObject", OBJECT)])
    store = str(tmp_path / "store")
    words = ["--store", store, "least-privilege", f"{ROLE}-2"]
    assert main(["--store", store, "store", "retain", "--days", "1"]) == 0
    capsys.readouterr()
    assert main(words) == 2
    assert "1 events of" in capsys.readouterr().err
    derive([build_record(2, "s3:GetObject", OBJECT, days=0)])
    min((tmp_path / "store" / "segments").rglob("*.parquet")).unlink()
    assert main(words) == 3
    assert "(1 events) is missing" in capsys.readouterr().err


def test_an_identity_that_no_log_names_is_refused(tmp_path, capsys, derive) -> None:
    derive([build_record(1, "s3:GetObject", OBJECT)])
    store = str(tmp_path / "store")
    assert main(["--store", store, "least-privilege", f"{ROLE}-2"]) == 2
    assert "no log shows a successful call of" in capsys.readouterr().err
    for words, hint in (
        ((ROLE.replace("reporter", "*"),), "name one identity by its ARN"),
        ((ROLE, "--since", "1h"), "the log has calls of it from "),
    ):
        assert main(["--store", store, "least-privilege", *words]) == 2
        assert hint in capsys.readouterr().err
    # A bare name is that of a scanned identity; an id may be known by the log alone.
    named = ["--store", store, "least-privilege"]
    assert main([*named, ROLE.rpartition("/")[2], "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["identity"] == ROLE
    for name in ("", "nobody", "arn:\x07"):
        assert main([*named, name]) == 2
        assert "unknown identity" in capsys.readouterr().err


def test_a_policy_that_was_not_collected_leaves_the_subset_open(
    derive, tmp_path, capsys
) -> None:
    """It may deny what another policy allows, so the proof neither holds nor fails."""
    narrow = [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": OBJECT}]
    derive([build_record(1, "s3:PutObject", OBJECT)], narrow)
    account = json.loads((tmp_path / "account.json").read_text())
    unknown = {"PolicyName": "x", "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/x"}
    account["RoleDetailList"][0]["AttachedManagedPolicies"] = [unknown]
    (tmp_path / "account.json").write_text(json.dumps(account))
    store = ["--store", str(tmp_path / "store")]
    assert main([*store, "scan", f"aws:{tmp_path / 'account.json'}"]) == 0
    capsys.readouterr()
    assert main([*store, "least-privilege", ROLE, "-o", "json"]) == 3
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert proofs(item)["subset-of-today"] == "not-known"
    assert (item["granted"], item["reachable"]) == (None, None)
