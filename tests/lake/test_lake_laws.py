"""Laws of answers over a lake: no secret of a row shows, and a removed file adds nothing."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from tests.lake.conftest import USER, Run, make_record
from tests.lake.security_lake import write_folders
from tests.stored_contents import iterate_stored_contents

CANARY = "kY7canary+Vq2Zx/ET9wb0LJr5Hc3uN8sPfAaGmD1"
SINCE = ("--since", "2026-11-01")
RECORDS = [make_record(number) for number in range(100, 130)]
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("trace", "--limit", "500", *SINCE),
    ("sql", "SELECT * FROM lineage"),
    ("sql", "SELECT * FROM events"),
    ("least-privilege", USER, *SINCE),
    ("baseline", "learn", "agent:declared/x", "--cloud", "--identity", USER, *SINCE),
)


def make_secret_records() -> list[dict[str, Any]]:
    """Make records whose parameters and answers carry secrets."""
    key = {"accessKeyId": "AKIAIOSFODNN7EXAMPL2", "secretAccessKey": CANARY}
    session = {**key, "accessKeyId": "ASIAIOSFODNN7EXAMPL3", "sessionToken": CANARY}
    calls: list[dict[str, Any]] = [
        {
            "eventSource": "iam.amazonaws.com",
            "eventName": "CreateAccessKey",
            "responseElements": {"accessKey": {**key, "userName": "report-job"}},
        },
        {
            "eventSource": "sts.amazonaws.com",
            "eventName": "AssumeRole",
            "responseElements": {"credentials": session},
        },
        {
            "eventSource": "ssm.amazonaws.com",
            "eventName": "PutParameter",
            "requestParameters": {"name": "/db", "value": CANARY},
        },
        {
            "eventSource": "iam.amazonaws.com",
            "eventName": "CreateLoginProfile",
            "requestParameters": {"userName": "report-job", "password": CANARY},
        },
        {
            "eventSource": "lambda.amazonaws.com",
            "eventName": "CreateFunction20150331",
            "requestParameters": {"environment": {"variables": {"TOKEN": CANARY}}},
        },
        {"requestParameters": {"url": f"https://ana:{CANARY}@files.example/x"}},
    ]
    return [make_record(200 + number, **each) for number, each in enumerate(calls)]


@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_no_secret_of_a_row_is_shown_or_kept(
    filled: Path,
    tmp_path: Path,
    output: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake, scratch = tmp_path / "lake", tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    records = make_secret_records()
    (file, *_) = write_folders(records, lake)
    assert CANARY in json.dumps(records)
    capsys.readouterr()
    for command in COMMANDS:
        asked = ["--store", str(filled), "-o", output, *command]
        assert main([*asked, "--lake", f"lake:{lake}"]) in {0, 1, 3}
        said = capsys.readouterr()
        assert CANARY not in said.out + said.err, command
        if output != "table" and command[0] in ("trace", "sql"):  # cells are cut
            assert "AssumeRole" in said.out
    assert file.exists()
    assert list(scratch.iterdir()) == []
    kept = [each for each in filled.rglob("*") if each.is_file()]
    assert kept
    for each in kept:
        assert not any(
            CANARY.encode() in part for part in iterate_stored_contents(each)
        )


def _list_rows(run: Run, lake: Path, code: int = 0) -> tuple[set[str], dict[str, Any]]:
    """Rows of the lake, as texts, and the coverage."""
    found = run(
        *("trace", "--limit", "500", "--since", "2026-11-01"),
        *("--lake", f"lake:{lake}"),
        code=code,
    )
    return {json.dumps(row, sort_keys=True) for row in found["items"]}, found[
        "coverage"
    ]


def test_a_removed_file_adds_no_row_and_changes_none(
    run: Run, filled: Path, tmp_path: Path
) -> None:
    files = write_folders(RECORDS, tmp_path / "lake")
    assert len(files) > 1
    whole, _ = _list_rows(run, tmp_path / "lake")
    used = run(
        "least-privilege", USER, *SINCE, "--lake", f"lake:{tmp_path / 'lake'}", code=1
    )
    for file in files:
        away = file.rename(tmp_path / "away.parquet")
        less, coverage = _list_rows(run, tmp_path / "lake")
        assert less < whole
        (place,) = coverage["in_place"]
        assert place["events"] == len(less) - 40  # those of the store
        found = run(
            *("least-privilege", USER, *SINCE, "--lake", f"lake:{tmp_path / 'lake'}"),
            code=1,
        )
        assert found["items"][0]["used"] <= used["items"][0]["used"]
        away.rename(file)
    assert _list_rows(run, tmp_path / "lake")[0] == whole


def test_a_damaged_file_is_named_and_makes_the_answer_partial(
    run: Run, filled: Path, tmp_path: Path
) -> None:
    files = write_folders(RECORDS, tmp_path / "lake")
    whole, _ = _list_rows(run, tmp_path / "lake")
    data = files[0].read_bytes()
    for damaged in (data[:-100], b"", data[:4] + bytes(len(data) - 8) + data[-4:]):
        files[0].write_bytes(damaged)
        less, coverage = _list_rows(run, tmp_path / "lake", code=3)
        assert less < whole
        assert coverage["partial"]
        assert files[0].name in json.dumps(coverage)
