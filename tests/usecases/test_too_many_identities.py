"""More identities than a command follows: it answers each by itself, and says so."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample

NOW = 1_795_000_000_000_000_000
CALL = ("s3:DeleteBucket", "arn:aws:s3:::northwind-reports")


@pytest.fixture
def sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", "store")
    monkeypatch.setattr("answerable.reach.aws.query_context.MOST_AT_COMMAND", 3)
    write_sample(Path(), NOW)
    assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
    capsys.readouterr()


@pytest.mark.usefixtures("sample")
def test_paths_that_a_command_does_not_follow_are_disclosed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in ("compiled", "restored"):
        assert main(["-o", "json", "who-can", *CALL]) == 0
        who = json.loads(capsys.readouterr().out)
        assert "paths" in who["coverage"]["not_collected"]
        assert not any(item["path"] for item in who["items"])
        assert main(["-o", "json", "can", "ci-deploy", *CALL]) == 0
        (item,) = json.loads(capsys.readouterr().out)["items"]
        assert "paths" in item["coverage"]["not_collected"]
        assert main(["-o", "json", "can", "--direct", "ci-deploy", *CALL]) == 0
        (item,) = json.loads(capsys.readouterr().out)["items"]
        assert "paths" not in item["coverage"]["not_collected"]


@pytest.mark.usefixtures("sample")
def test_a_question_that_needs_every_path_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["reach", "--all"]) != 0
    said = capsys.readouterr().err
    assert "too many identities to follow every path (got" in said
    assert "hint: scan fewer accounts" in said
