"""Actions that an agent's identity may call and did not call."""

from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from tests.posture.conftest import Findings, write
from tests.usecases.cloud_trail import ROLE, build_record, write_trail
from tests.usecases.test_least_privilege import write_account

RULE = "unused-action"
BOT = f"""\
on: {{schedule: [{{cron: "0 3 * * *"}}]}}
permissions: {{contents: read, id-token: write}}
jobs:
  triage:
    runs-on: ubuntu-latest
    steps:
      - uses: aws-actions/configure-aws-credentials@v4
        with: {{role-to-assume: "{ROLE}", aws-region: eu-central-1}}
      - uses: anthropics/claude-code-action@v1
"""
GRANTED = [
    {
        "Effect": "Allow",
        "Action": ["iam:ListUsers", "ec2:DescribeInstances", "s3:GetObject"],
        "Resource": "*",
    }
]


@pytest.fixture
def scan(tmp_path: Path, findings: Findings) -> Any:
    """Scan a workflow with its role, ingest calls, and list the results of the rule."""

    def run(
        *records: dict[str, object], statements: object = GRANTED
    ) -> list[dict[str, Any]]:
        files = {".git/HEAD": "x\n", ".github/workflows/bot.yml": BOT}
        repo = write(tmp_path / "shop", files)
        account = write_account(tmp_path / "account.json", statements)
        sources = [f"repo:{repo}", f"aws:{account}"]
        findings(*sources)
        if records:
            trail = write_trail(tmp_path / "trail", records)
            store = ["--store", str(tmp_path / "store")]
            assert main([*store, "ingest", f"cloudtrail:{trail}"]) == 0
        _, items = findings()
        return [each for each in items if each["rule"] == RULE]

    return run


def log_days(*days: int) -> list[dict[str, object]]:
    """Build a call on each of some days, by how long ago they were."""
    return [build_record(1000 * each, "iam:ListUsers", days=each) for each in days]


OLD = log_days(*range(1, 61))


def test_an_action_without_calls_is_found_and_data_events_are_not_evaluated(
    scan: Any,
) -> None:
    found = {each["state"]: each for each in scan(*OLD)}
    assert found.keys() == {"open", "not-evaluated"}
    assert found["open"]["subject"] == ROLE
    title = (
        "1 of 2 granted actions have no call on 60 logged days: ec2:DescribeInstances"
    )
    assert found["open"]["title"] == title
    assert "data events of s3" in found["not-evaluated"]["missing"][0]["what"]
    assert found["open"]["fix"]["command"] == f"answerable least-privilege {ROLE}"


def test_an_identity_that_calls_all_its_actions_is_no_finding(scan: Any) -> None:
    called = build_record(2, "ec2:DescribeInstances", days=3)
    read = build_record(3, "s3:GetObject", "arn:aws:s3:::reports/a", days=3)
    assert scan(*OLD, called, read | {"eventCategory": "Data"}) == []


def test_a_denied_call_is_no_use(scan: Any) -> None:
    denied = build_record(2, "ec2:DescribeInstances", days=3, error="AccessDenied")
    (item,) = [each for each in scan(*OLD, denied) if each["state"] == "open"]
    assert "ec2:DescribeInstances" in item["title"]


@pytest.mark.parametrize("records", [(), (build_record(1, "iam:ListUsers", days=5),)])
def test_without_enough_logs_the_rule_is_not_evaluated(
    scan: Any, records: tuple[dict[str, object], ...]
) -> None:
    (item,) = scan(*records)
    assert (item["state"], item["subject"]) == ("not-evaluated", ROLE)


def test_days_without_events_do_not_count(scan: Any) -> None:
    (item,) = scan(*log_days(400, *range(1, 29)))
    assert item["missing"][0]["what"] == "complete logs of 30 days (got 29)"


@pytest.mark.parametrize("lost", ["removed", "unreadable"])
def test_days_that_lack_events_do_not_count(
    scan: Any, findings: Findings, tmp_path: Path, lost: str
) -> None:
    other = build_record(1, "ec2:DescribeInstances", days=30)
    assert "open" not in {
        each["state"] for each in scan(*log_days(*range(1, 31)), other)
    }
    store = tmp_path / "store"
    if lost == "removed":
        assert main(["--store", str(store), "store", "retain", "--days", "30"]) == 0
    else:
        min((store / "segments").rglob("*.parquet")).unlink()
    (item,) = [each for each in findings()[1] if each["rule"] == RULE]
    assert item["missing"][0]["what"] == "complete logs of 30 days (got 29)"


def test_an_administrator_has_a_rule_of_its_own(scan: Any) -> None:
    wide = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    assert scan(*OLD, statements=wide) == []
