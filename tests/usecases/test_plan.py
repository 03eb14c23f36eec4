"""`plan` and `plan status`: a static key, its replacement, and whether it is silent."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from answerable.cli.main import main
from tests.usecases.cloud_trail import ACCOUNT, build_record, write_trail

KEY = "AKIARTX3GSDSRRFJNQSQ"
CREDENTIAL = f"cred:aws/{KEY}"
USER = f"arn:aws:iam::{ACCOUNT}:user/deploy"
OBJECT = "arn:aws:s3:::site/index.html"


def call(number: int, name: str, *resources: str, days: float, key: str = KEY):
    record = build_record(number, name, *resources, days=days)
    record["userIdentity"] = {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": USER,
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "userName": "deploy",
    }
    return record


@pytest.fixture
def plan(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = ["--store", str(tmp_path / "store")]

    def plan(records, *words: str, last_used: float) -> tuple[int, dict[str, object]]:
        user = {
            "Path": "/",
            "UserName": "deploy",
            "UserId": "AIDAEXAMPLEEXAMPLE001",
            "Arn": USER,
            "CreateDate": "2026-01-01T00:00:00Z",
            "UserPolicyList": [
                {
                    "PolicyName": "own",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
                        ],
                    },
                }
            ],
            "GroupList": [],
            "AttachedManagedPolicies": [],
        }
        account = {
            "UserDetailList": [user],
            "GroupDetailList": [],
            "RoleDetailList": [],
            "Policies": [],
            "IsTruncated": False,
        }
        (tmp_path / "account.json").write_text(json.dumps(account))
        used = datetime.now(UTC) - timedelta(days=last_used)
        keys = {
            "AccessKeyMetadata": [
                {
                    "UserName": "deploy",
                    "AccessKeyId": KEY,
                    "Status": "Active",
                    "CreateDate": "2026-01-01T00:00:00Z",
                    "AccessKeyLastUsed": {
                        "LastUsedDate": used.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "ServiceName": "s3",
                        "Region": "eu-central-1",
                    },
                }
            ],
            "IsTruncated": False,
        }
        (tmp_path / "keys.json").write_text(json.dumps(keys))
        assert main([*store, "scan", "aws:account.json", "aws-keys:keys.json"]) == 0
        trail = write_trail(tmp_path / "trail", records)
        assert main([*store, "ingest", f"cloudtrail:{trail}"]) == 0
        capsys.readouterr()
        code = main([*store, "plan", *words, "-o", "json"])
        items = json.loads(capsys.readouterr().out)["items"]
        (item,) = [each for each in items if each["credential"] == CREDENTIAL]
        return code, item

    return plan


def test_a_key_without_a_recorded_call_has_no_known_proof(plan) -> None:
    other = call(1, "s3:PutObject", days=2, key="AKIAOTHEREXAMPLE0001")
    other["userIdentity"]["arn"] = USER.replace("deploy", "other")
    others = [other]
    code, item = plan(others, last_used=1)
    assert code == 3
    assert {p["verdict"] for p in item["proofs"]} == {"not-known"}
    code, item = plan(others, "status", last_used=1)
    assert (code, item["use"], item["proofs"]) == (0, "in-use", [])


def test_a_key_gets_a_role_with_its_least_privilege_and_both_proofs(plan) -> None:
    code, item = plan(
        [call(1, "s3:PutObject", OBJECT, days=2), call(2, "s3:PutObject", days=1)],
        "--issuer",
        "sts.corp.example",
        "--subject",
        "agent:declared/deploy",
        last_used=1,
    )
    assert code == 0
    assert {p["proof"]: p["verdict"] for p in item["proofs"]} == {
        "subset-of-today": "holds",
        "observed-still-allowed": "holds",
    }
    trust = json.loads(item["trust"])["Statement"][0]
    assert trust["Principal"] == {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/sts.corp.example"
    }
    assert trust["Condition"]["StringEquals"] == {
        "sts.corp.example:aud": "sts.amazonaws.com",
        "sts.corp.example:sub": "agent:declared/deploy",
    }
    assert 'resource "aws_iam_openid_connect_provider"' in item["terraform"]
    name = f"agent_deploy_{KEY[-8:].lower()}"
    attached = f"policy_arn = aws_iam_policy.{name}_aws_policy.arn"
    assert attached in item["terraform"]
    assert item["use"] == "in-use"
    assert [each["command"].split()[:3] for each in item["steps"]][-2:] == [
        ["aws", "iam", "update-access-key"],
        ["aws", "iam", "delete-access-key"],
    ]


def test_a_key_is_silent_when_it_is_quiet_longer_than_its_longest_pause(plan) -> None:
    """Another key of the account is logged until today, this one until 20 days ago."""
    records = [
        *(call(n, "s3:PutObject", OBJECT, days=20 + n) for n in range(3)),
        call(9, "s3:PutObject", OBJECT, days=0.1, key="AKIARTX3GSDSQK3PXUCV"),
    ]
    code, item = plan(records, "status", CREDENTIAL, last_used=20)
    assert (code, item["use"], item["uses"], item["policies"]) == (0, "silent", 3, [])


def test_a_use_that_only_the_scan_shows_is_no_silence(plan) -> None:
    records = [
        *(call(n, "s3:PutObject", OBJECT, days=20 + n) for n in range(3)),
        call(9, "s3:PutObject", OBJECT, days=0.1, key="AKIARTX3GSDSQK3PXUCV"),
    ]
    assert plan(records, "status", last_used=5)[1]["use"] == "in-use"


def test_without_a_log_the_use_is_not_known(plan) -> None:
    other = build_record(1, "s3:GetObject", OBJECT)
    other["recipientAccountId"] = "444455556666"
    code, item = plan([other], "status", last_used=90)
    assert (code, item["use"]) == (3, "not-known")


@pytest.mark.parametrize("subject", [" ", "repo:\x1b[31m", "a\u202eb", "x" * 256])
def test_a_subject_that_no_token_has_is_refused(subject: str, capsys) -> None:
    assert main(["plan", "--subject", subject]) == 2
    assert "not a subject of a token" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("status",)])
def test_without_a_scan_a_plan_is_not_known(words, tmp_path, capsys) -> None:
    store = ["--store", str(tmp_path / "store")]
    trail = write_trail(tmp_path / "trail", [build_record(1, "s3:GetObject", OBJECT)])
    assert main([*store, "ingest", f"cloudtrail:{trail}"]) == 0
    assert main([*store, "plan", *words]) == 3
    assert "nothing scanned yet" in capsys.readouterr().out


def test_an_empty_subject_is_refused(capsys) -> None:
    assert main(["plan", "--subject", ""]) == 2
    assert "--subject is empty" in capsys.readouterr().err
