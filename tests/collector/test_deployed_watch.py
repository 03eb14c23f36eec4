"""`watch.deployed`: permissions in force that differ from a signed profile are raised."""

import contextlib
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.collector.settings import load_settings
from answerable.collector.source_run import run_source
from answerable.connectors.config.parse.config_faults import ConfigError
from tests.collector.running_collector import collecting, write_config

ANA, AGENT = "person:ana@corp.example", "agent:claude-code/ana"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reporter"
KEY = "arn:aws:s3:::example-reports/a.csv"
SIGNED = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": KEY}
WIDER = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": KEY}


def scan_role(store: Path, *statements: dict[str, str]) -> None:
    """Scan an account whose only role has these statements."""
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    trusted = trust | {"Principal": {"Service": "lambda.amazonaws.com"}}
    details = {
        "UserDetailList": [],
        "GroupDetailList": [],
        "Policies": [],
        "RoleDetailList": [
            {
                "Path": "/",
                "RoleName": "reporter",
                "RoleId": "AROAEXAMPLEEXAMPLE001",
                "Arn": ROLE,
                "CreateDate": "2026-01-01T00:00:00Z",
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [trusted],
                },
                "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": policy}],
                "AttachedManagedPolicies": [],
            }
        ],
    }
    file = store.parent / "account.json"
    file.write_text(json.dumps(details))
    assert main(["--store", str(store), "scan", f"aws:{file}", "-q"]) == 0


def write_event(path: Path) -> None:
    """Write a CloudTrail event of a session of the role."""
    at = datetime.now(UTC) - timedelta(hours=1)
    session = {"type": "AssumedRole", "accountId": ACCOUNT}
    session["arn"] = f"arn:aws:sts::{ACCOUNT}:assumed-role/reporter/one"
    issuer = {"type": "Role", "arn": ROLE, "accountId": ACCOUNT, "userName": "reporter"}
    record = {
        "eventVersion": "1.08",
        "eventID": "00000000-0000-4000-8000-000000000001",
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "eu-central-1",
        "recipientAccountId": ACCOUNT,
        "userIdentity": {**session, "sessionContext": {"sessionIssuer": issuer}},
        "requestParameters": {"bucketName": "example-reports", "key": "a.csv"},
        "resources": [{"ARN": KEY, "type": "AWS::S3::Object"}],
    }
    path.write_text(json.dumps({"Records": [record]}))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a signed profile of the role: one action on one object."""
    root = tmp_path_factory.mktemp("watch")
    home, store = root / "ana", root / "store"
    home.mkdir(mode=0o700)
    (home / ".claude.json").write_text('{"numStartups": 3}')
    (home / "pass").write_text("correct horse battery\n")
    (home / "pass").chmod(0o600)
    write_event(root / "trail.json")
    key = ("--key", str(home / "ana.pem"))
    key = (*key, "--passphrase-file", str(home / "pass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        name = "answerable.server.processes.ancestors.refuse_agent_ancestors"
        patch.setattr(name, lambda *_: None)
        for words in (
            ("scan", f"home:{home}"),
            ("owner-keys", "new", "--person", ANA, *key),
            ("owner-keys", "enroll", f"{home}/ana.pem.pub", "--person", ANA),
            ("attest", AGENT, "--owner", ANA, *key),
            ("ingest", f"cloudtrail:{root}/trail.json"),
        ):
            assert main([*words, "--store", str(store), "-q"]) == 0, words
        sign = ("baseline", "sign", learn(store), "--stage", "shadow", *key)
        assert main([*sign, "--store", str(store), "-q"]) == 0
    return root


def learn(store: Path) -> str:
    """Learn the profile of the role; return its digest."""
    words = ("baseline", "learn", AGENT, "--cloud", "--identity", ROLE, "-o", "json")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main([*words, "--store", str(store), "-q"]) == 0
    (item,) = json.loads(output.getvalue())["items"]
    return str(item["digest"])


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "copy")) / "store"


@pytest.fixture
def config(store: Path) -> str:
    write_config(store.parent, {"watch": {"deployed": {"every": "1h"}}})
    return str(store.parent / "answerable.yaml")


def test_drift_fails_the_task_and_agreement_does_not(store: Path, config: str) -> None:
    task = f"watch-deployed:{config}"
    scan_role(store, SIGNED)
    agreed = run_source(store, task)
    assert (agreed.failure, agreed.problems) == ("", ())
    scan_role(store, SIGNED, WIDER)
    failure = run_source(store, task).failure
    assert failure.startswith("1 differences between permissions in force and signed")
    assert f"{ROLE}: beyond-signed s3:DeleteObject {KEY}" in failure


def test_what_is_not_known_is_a_problem_and_no_agreement(
    store: Path, config: str
) -> None:
    found = run_source(store, f"watch-deployed:{config}")
    assert (found.failure, found.is_partial) == ("", True)
    (problem,) = found.problems
    assert problem == (
        f"{ROLE}: not-known its policies were not collected (answerable scan aws:)"
    )


def test_a_store_without_a_signed_profile_is_partial(
    tmp_path: Path, config: str
) -> None:
    other = tmp_path / "other"
    (tmp_path / "home").mkdir()
    main(["--store", str(other), "scan", f"home:{tmp_path}/home", "-q"])
    found = run_source(other, f"watch-deployed:{config}")
    assert found.is_partial
    assert found.problems == ("no signed baseline is in force",)


def test_the_collector_raises_drift(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan_role(store, WIDER)
    settings = {
        "watch": {"deployed": {"every": "1h"}},
        "collector": {"listen": [{"address": "127.0.0.1:0"}]},
    }
    with collecting(store.parent, settings) as running:
        failed = running.hear("source.failed", "watch-deployed")
        assert "beyond-signed s3:DeleteObject" in failed["why"]
        assert running.metric("failures", "watch-deployed") >= 1
    capsys.readouterr()
    main(["--store", str(store), "doctor", "-o", "json"])
    items = json.loads(capsys.readouterr().out)["items"]
    (shown,) = [each for each in items if "watch-deployed" in each["check"]]
    assert not shown["ok"]
    assert "missing s3:GetObject" in shown["detail"]


@pytest.mark.parametrize(
    "section",
    [{"deployed": {}}, {"deployed": {"every": "1h", "mode": "x"}}, {"drift": {}}],
)
def test_an_invalid_watch_is_refused(
    tmp_path: Path, section: dict[str, object]
) -> None:
    write_config(tmp_path, {"watch": section, "sources": []})
    with pytest.raises(ConfigError):
        load_settings(str(tmp_path / "answerable.yaml"), None, None)
