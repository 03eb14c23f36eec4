"""Coverage of answers whose sources a collector reads."""

import json
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from answerable.cli.main import main
from answerable.model.collection import SourceState
from answerable.model.inventory import SourceCoverage
from answerable.presentation.answer_coverage import format_problem
from answerable.presentation.collection_coverage import add_scheduled_source_states
from answerable.services.inventory import snapshots
from answerable.store.collection_state import read_source_states, write_source_states
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import scan
from answerable.web import store_cache
from answerable.web.store_cache import StoreCache

S = 1_000_000_000
READ = SourceState("home:/h", since=100 * S, late_after=200 * S, succeeded_at=100 * S)
FAILED = replace(READ, failed_at=150 * S, failures=3, reason="no such folder")


def scanned(at: int, source: str = "home:/h") -> SourceCoverage:
    return SourceCoverage(source, "home", at * S, (), ("agent-configs",), ())


def problems(
    states: list[SourceState], now: int, *coverage: SourceCoverage
) -> dict[str, list[str]]:
    found = add_scheduled_source_states(coverage, states, now * S)
    return {each.source: [format_problem(p) for p in each.problems] for each in found}


def test_a_source_that_was_read_in_time_has_no_problem() -> None:
    assert problems([READ], 199, scanned(100)) == {"home:/h": []}


def test_a_failed_run_is_a_problem_of_its_source_alone() -> None:
    found = problems([FAILED], 160, scanned(100), scanned(100, "repo:/r"))
    assert found["repo:/r"] == []
    assert found["home:/h"] == [
        "unreadable: its last scheduled run failed at 1970-01-01T00:02:30Z:"
        " no such folder"
    ]


def test_a_late_source_is_a_problem_though_no_run_failed() -> None:
    assert problems([READ], 500, scanned(100)) == {
        "home:/h": ["unreadable: late by 5 min: last read at 1970-01-01T00:01:40Z"]
    }


def test_a_source_that_was_never_read_is_an_entry_of_its_own() -> None:
    never = SourceState("cloudtrail:/l", since=100 * S, late_after=120 * S)
    assert problems([never], 119) == {}
    assert problems([never], 180) == {
        "cloudtrail:/l": ["unreadable: late by 1 min: never read"]
    }


def test_a_scan_by_a_person_after_the_failure_ends_it() -> None:
    assert problems([FAILED], 240, scanned(155)) == {"home:/h": []}
    assert problems([FAILED], 260, scanned(155)) != {"home:/h": []}


def test_an_organization_is_as_old_as_its_oldest_account() -> None:
    names = ("aws-org:/o", "aws:1", "aws:2")
    state = replace(FAILED, source="aws-org:role/R", names=names)
    fresh = [scanned(155, name) for name in names]
    assert "aws-org:role/R" not in problems([state], 160, *fresh)
    fresh[-1] = scanned(90, "aws:2")
    assert "aws-org:role/R" in problems([state], 160, *fresh)


def test_unread_parts_of_a_log_are_said_until_they_are_read() -> None:
    lines = ("invalid: /l/a.json: not JSON",)  # as a run of the collector leaves it
    log = replace(READ, source="cloudtrail:/l", problems=lines)
    assert problems([log], 150) == {"cloudtrail:/l": ["invalid: /l/a.json: not JSON"]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".claude.json").write_text('{"mcpServers": {}}')
    store = ("--store", str(tmp_path / "store"))
    assert main([*store, "scan", f"home:{tmp_path}/home"]) == 0
    return tmp_path


def save(folder: Path, *states: SourceState) -> None:
    with EvidenceStore.open(folder / "store", now=1, create=False) as store:
        write_source_states(store.layout, states)


@pytest.mark.parametrize(
    "words", [("agents",), ("trace",), ("who-owns", "claude-code")]
)
def test_answers_are_partial_while_a_scheduled_source_fails(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    store = ("--store", str(home / "store"), "-o", "json")
    now = time.time_ns()
    good = SourceState("cloudtrail:/logs", now, now + 3600 * S, succeeded_at=now)
    save(home, good)
    main([*store, *words])
    before = json.loads(capsys.readouterr().out)
    assert not before["coverage"]["partial"]
    save(home, replace(good, failed_at=now + 1, failures=1, reason="no such folder"))
    assert main([*store, *words]) == 3
    after = json.loads(capsys.readouterr().out)
    assert after["items"] == before["items"]
    assert after["coverage"]["partial"]
    (entry,) = (s for s in after["coverage"]["sources"] if s["source"] == good.source)
    assert "no such folder" in entry["problems"][0]
    assert main([*store, *words, "--allow-partial"]) == 0


def test_an_expectation_does_not_hold_on_a_source_that_fails(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time_ns()
    save(home, SourceState("aws:/a.json", now, now - 1, failed_at=now, reason="gone"))
    user = "arn:aws:iam::111122223333:user/u"
    words = ("can", user, "s3:GetObject", "arn:aws:s3:::b/k", "--expect", "never")
    assert main(["--store", str(home / "store"), *words]) == 3
    capsys.readouterr()


def test_an_earlier_snapshot_is_not_judged_by_the_present_state(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time_ns()
    save(home, SourceState("cloudtrail:/logs", now, now, failed_at=now, reason="gone"))
    with EvidenceStore.open(home / "store", now=1, create=False) as store:
        (first,) = snapshots.list_snapshots(store)
    main(["--store", str(home / "store"), "scan", f"home:{home}/home"])
    assert main(["--store", f"{home}/store@{first.name}", "agents"]) == 0
    assert main(["--store", str(home / "store"), "agents"]) == 3
    capsys.readouterr()


@pytest.mark.parametrize("data", [b"", b"[", b'[{"source": 1}]', b"\xff", b"{}"])
def test_a_damaged_state_is_a_failed_source(home: Path, data: bytes) -> None:
    path = home / "store" / "collector" / "sources.json"
    path.parent.mkdir()
    path.write_bytes(data)
    with EvidenceStore.open(home / "store", now=1, create=False) as store:
        (state,) = read_source_states(store.layout)
    assert problems([state], 10**9)["collector:"][0].startswith("unreadable: ")


def test_the_page_shows_a_failure_without_a_new_scan(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the machine takes, a changed view is rebuilt at once.
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", 3600)
    cache = StoreCache(home / "store")
    try:
        assert cache.current_view().inventory.scheduled == ()
        save(home, FAILED)
        assert cache.current_view().inventory.scheduled == (FAILED,)
    finally:
        cache.close()


def test_two_scans_at_once_keep_both_of_their_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan reads the newest snapshot and writes the next: one at a time."""
    root, load = tmp_path / "store", snapshots.load_latest_snapshot
    EvidenceStore.open(root, now=1).close()

    def load_slowly(store: EvidenceStore) -> object:
        found = load(store)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(snapshots, "load_latest_snapshot", load_slowly)

    def run(name: str) -> None:
        (tmp_path / name).mkdir()
        with EvidenceStore.open(root, now=1) as store:
            scan.scan_sources(
                store, [f"repo:{tmp_path}/{name}"], now=2, home=tmp_path, cwd=tmp_path
            )

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with EvidenceStore.open(root, now=3) as store:
        latest = load(store)
    assert latest is not None
    assert [source for source, _ in latest.syncs] == [
        f"repo:{tmp_path}/{name}" for name in ("a", "b", "c")
    ]
