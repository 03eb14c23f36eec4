"""The demo shows the whole chain, and says so when a step does not hold."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from answerable.cli.demo import demo_workspace, opening_chapters, run_demo
from answerable.cli.demo.chapter_runner import Main
from answerable.cli.main import main
from answerable.cli.sample import account, audit_log, home, write_sample
from answerable.cli.sample.fake_access_keys import make_fake_secret
from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import decode_access_key_account
from tests.stored_contents import iterate_stored_contents

NOW = 1_795_500_000_000_000_000
SECRETS = (make_fake_secret("report-bot"), "ghp_" + make_fake_secret("github", 36))
Told = Callable[[], str]


def run(main: Main, keep: Path | None = None, *, works: bool = True) -> int:
    with demo_workspace.demo_folder(keep):
        return run_demo.run_demo(main, keep, with_agent=works)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Path]:
    """Exit code, output and kept folder of one run."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    keep = tmp_path_factory.mktemp("demo") / "kept"
    out = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        with redirect_stdout(out), redirect_stderr(out):
            code = run(main, keep, works=False)
    return code, out.getvalue(), keep


def test_every_step_ends_as_it_should(told: tuple[int, str, Path]) -> None:
    code, text, _ = told
    assert code == 0, text
    assert "error: this step" not in text


def test_no_line_is_wider_than_a_terminal_of_80_columns(
    told: tuple[int, str, Path],
) -> None:
    wide = [line for line in told[1].splitlines() if len(line) > 80]
    assert wide == []


def test_it_fits_a_few_screens(told: tuple[int, str, Path]) -> None:
    assert len(told[1].splitlines()) < 310


def test_every_command_of_every_chapter_is_shown(told: tuple[int, str, Path]) -> None:
    shown = "".join(told[1].split())
    for chapter in opening_chapters.CHAPTERS:
        assert "".join(chapter.title.split()) in shown
        for step in chapter.steps:
            assert "$answerable" + step.command[0] in shown


def test_it_answers_the_questions_it_asks(told: tuple[int, str, Path]) -> None:
    text = told[1]
    assert "ana@corp.example" in text
    assert "always" in text
    assert "data-reader" in text
    assert "tmp-export" in text


def test_what_was_scanned_after_the_fact_is_inferred_and_not_declared(
    told: tuple[int, str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(told[2] / "store")
    capsys.readouterr()
    main(["--store", store, "-o", "json", "trace", "--resource", "*/customers/*"])
    items = json.loads(capsys.readouterr().out)["items"]
    assert len(items) == 40
    for item in items:
        status = {name: hop["status"] for name, hop in item["hops"].items()}
        before = dict.fromkeys(("person", "agent", "tool"), "inferred")
        assert status == before | dict.fromkeys(
            ("identity", "action", "resource"), "observed"
        )


def test_no_secret_of_the_sample_is_in_its_output_or_its_store(
    told: tuple[int, str, Path],
) -> None:
    _, text, keep = told
    stored = [path for path in (keep / "store").rglob("*") if path.is_file()]
    assert stored
    for secret in SECRETS:
        assert secret not in text
        for path in stored:
            for content in iterate_stored_contents(path):
                assert secret.encode() not in content, path


def test_the_planted_secrets_are_in_the_sample(told: tuple[int, str, Path]) -> None:
    texts = "".join(home.build_home_files().values())
    assert told
    assert all(secret in texts for secret in SECRETS)


def test_what_is_kept_can_be_asked_again(
    told: tuple[int, str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(told[2] / "store")
    capsys.readouterr()
    assert main(["--store", store, "-o", "json", "agents"]) == 0
    assert json.loads(capsys.readouterr().out)["items"]


def test_a_step_that_ends_otherwise_makes_the_demo_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(argv: Sequence[str]) -> int:
        return 4 if argv[0] == "who-owns" else fine(argv)

    def fine(argv: Sequence[str]) -> int:
        if argv[0] == "ingest":
            day = Path("store/segments/day=2026-01-01")
            day.mkdir(parents=True)
            (day / "x.parquet").write_bytes(b"0123456789")
        return 1 if opening_chapters.COPY in argv else 0

    assert run(fine, works=False) == 0
    assert "error:" not in capsys.readouterr().out
    assert run(broken, works=False) == 1
    text = capsys.readouterr().out
    assert "error: this step ended with exit code 4, expected 0" in text


def test_damage_that_is_not_found_makes_the_demo_fail() -> None:
    def blind(argv: Sequence[str]) -> int:
        if argv[0] == "ingest":
            day = Path("store/segments/day=2026-01-01")
            day.mkdir(parents=True)
            (day / "x.parquet").write_bytes(b"0123456789")
        return 0

    assert run(blind, works=False) == 1


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(EnvironmentFailure):
        run(main, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_same_moment_gives_the_same_estate(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample(tmp_path / name, NOW)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_estate_says_in_every_part_that_it_is_a_sample(tmp_path: Path) -> None:
    estate = write_sample(tmp_path, NOW)
    for folder in (tmp_path, estate.home, estate.repo, estate.account.parent):
        assert "sample" in (folder / "SAMPLE.txt").read_text()


def test_the_sample_keys_decode_to_the_sample_account() -> None:
    for key in (account.REPORT_KEY, account.LEGACY_KEY):
        assert decode_access_key_account(key) == account.ACCOUNT


def test_no_record_of_the_sample_trail_lies_in_the_future() -> None:
    from datetime import UTC, datetime

    now = datetime.fromtimestamp(NOW // 1_000_000_000, UTC)
    times = [str(record["eventTime"]) for _, record in audit_log.iterate_records(now)]
    assert times == sorted(times)
    assert times[-1] < now.strftime("%Y-%m-%dT%H:%M:%SZ")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
