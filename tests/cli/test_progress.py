"""A bar is drawn on a terminal, and nowhere else."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from answerable.cli import progress
from answerable.cli.main import main
from answerable.cli.settings import Settings
from answerable.model.progress import ignore_progress_report
from bench.cloudtrail import write_trail

STAGES = [
    "joining scanned sources",
    "compiling policies",
    "following paths of all identities",
    "storing paths",
]
READS = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
USER = {
    "UserName": "deployer",
    "Arn": "arn:aws:iam::111122223333:user/deployer",
    "UserPolicyList": [
        {
            "PolicyName": "reads",
            "PolicyDocument": {"Version": "2012-10-17", "Statement": READS},
        }
    ],
}
ACCOUNT = {
    "UserDetailList": [USER],
    "GroupDetailList": [],
    "RoleDetailList": [],
    "Policies": [],
}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    stream = _Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    monkeypatch.setenv("COLUMNS", "60")
    return stream


def test_a_bar_fits_the_terminal_and_leaves_no_trace(terminal: _Terminal) -> None:
    with progress.progress_bar(Settings()) as draw:
        draw(1, 4, "trail/" + "x" * 200 + "\x1b[2J")
        draw(7, 0, "records")
        draw(9, 4, "more than there is")
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert drawn[0] == ""
    assert drawn[1].startswith("[######..................]  25% trail/")
    assert drawn[2] == "7 records"
    assert drawn[3].startswith("[########################] 100%")
    assert drawn[-1] == ""
    assert all(len(line) < 60 and "\x1b" not in line for line in drawn)


def test_nothing_is_drawn_where_nobody_looks(
    terminal: _Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.progress_bar(Settings(quiet=True)) as draw:
        assert draw is ignore_progress_report
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=io.StringIO()))
    with progress.progress_bar(Settings()) as draw:
        assert draw is ignore_progress_report
    assert terminal.getvalue() == ""


def test_a_stage_that_begins_is_drawn_at_once(
    terminal: _Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_PAUSE", 60.0)
    with progress.progress_bar(Settings()) as draw:
        for done, what in ((0, "joining"), (1, "compiling"), (2, "compiling")):
            draw(done, 4, what)
    drawn = [line.partition("] ")[2] for line in terminal.getvalue().split("\r\x1b[K")]
    assert drawn == ["", "  0% joining", " 25% compiling", ""]


@pytest.mark.parametrize(
    "asked",
    [
        ("can", "deployer", "s3:PutObject", "arn:aws:s3:::b/k"),
        ("who-can", "s3:GetObject", "arn:aws:s3:::b/k"),
        ("reach", "deployer"),
    ],
)
def test_the_first_question_after_a_scan_shows_each_stage_of_the_derivation(
    terminal: _Terminal,
    asked: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    account = tmp_path / "account.json"
    account.write_text(json.dumps(ACCOUNT))
    store = ("--store", str(tmp_path / "store"))
    assert main([*store, "scan", f"aws:{account}"]) == 0
    for expected in (STAGES, []):
        start = terminal.tell()
        assert main([*store, *asked]) == 0
        drawn = terminal.getvalue()[start:].split("\r\x1b[K")
        said = [line.rpartition("% ")[2] for line in drawn]
        assert [each for each in said if each in STAGES] == expected
    assert capsys.readouterr().out


def test_the_first_trace_after_a_scan_shows_each_stage_of_the_derivation(
    terminal: _Terminal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    account, trail = tmp_path / "account.json", tmp_path / "trail"
    account.write_text(json.dumps(ACCOUNT))
    write_trail(trail, 20, 1)
    store = ("--store", str(tmp_path / "store"))
    assert main([*store, "ingest", f"cloudtrail:{trail}"]) == 0
    assert main([*store, "scan", f"aws:{account}"]) == 0
    for expected in (["joining scanned sources", "deriving chains of events"], []):
        start = terminal.tell()
        assert main([*store, "trace"]) == 0
        drawn = terminal.getvalue()[start:].split("\r\x1b[K")
        assert [line.rpartition("% ")[2] for line in drawn if "%" in line] == expected
    assert capsys.readouterr().out
