"""`baseline check IDENTITY`: new behaviour, and a log that ends before the window."""

import json

import pytest

from answerable.cli.main import main
from tests.usecases.cloud_trail import ROLE, build_record, write_trail

OBJECT = "arn:aws:s3:::reports/2026/may.csv"
OTHER = ROLE.replace("reporter", "other")


@pytest.fixture
def check(tmp_path, capsys):
    store = ["--store", str(tmp_path / "store")]

    def check(records, *words: str) -> tuple[int, str, str]:
        trail = write_trail(tmp_path / "trail", records)
        assert main([*store, "-q", "ingest", f"cloudtrail:{trail}"]) == 0
        capsys.readouterr()
        code = main([*store, "baseline", "check", ROLE, *words])
        found = capsys.readouterr()
        return code, found.out, found.err

    return check


def test_a_log_that_ends_before_the_window_leaves_the_answer_open(check) -> None:
    records = [build_record(1, "s3:GetObject", OBJECT, days=9)]
    code, out, _ = check(records, "--since", "7d")
    assert code == 3
    assert out.startswith("not known: the log cloudtrail 111122223333 ends at ")
    assert "scan" not in out
    code, out, _ = check(records, "--since", "7d", "-o", "json")
    assert code == 3
    assert "ends at" in json.loads(out)["coverage"]["not_collected"][0]


def test_a_log_with_later_events_of_others_shows_that_nothing_is_new(check) -> None:
    records = [
        build_record(1, "s3:GetObject", OBJECT, days=9),
        build_record(2, "s3:GetObject", OBJECT, role=OTHER, days=1),
    ]
    code, out, _ = check(records, "--since", "7d")
    assert code == 0
    assert out.startswith("no new action: 0 events compared with 1 earlier\n")
    records.append(build_record(3, "s3:DeleteObject", OBJECT, days=1))
    code, out, _ = check(records, "--since", "7d", "-o", "json")
    assert code == 0
    assert [each["action"] for each in json.loads(out)["items"]] == ["s3:DeleteObject"]
