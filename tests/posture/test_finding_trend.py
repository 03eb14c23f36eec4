"""Numbers of findings over snapshots (`findings trend`)."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.usecases.posture.finding_trend import select_spread
from tests.posture.conftest import write
from tests.posture.test_finding_reviews import SERVERS

COUNTS = ("new", "resolved", "unread")


def trend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> list[dict[str, Any]]:
    capsys.readouterr()
    main(
        ["--store", str(tmp_path / "store"), "-o", "json", "findings", "trend", *words]
    )
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["items"]
    return found


def count_open(item: dict[str, Any]) -> int:
    return sum(item[each] for each in ("critical", "high", "medium", "low"))


def scan(tmp_path: Path, *names: str) -> None:
    sources = [f"repo:{tmp_path / name}" for name in names]
    main(["--store", str(tmp_path / "store"), "scan", *sources])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    files = {".mcp.json": json.dumps(SERVERS), ".git/HEAD": "x\n"}
    return write(tmp_path / "shop", files)


def test_new_and_resolved_findings_of_each_snapshot_are_counted(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan(tmp_path, "shop")
    (shop / ".mcp.json").write_text('{"mcpServers": {}}')
    scan(tmp_path, "shop")
    (shop / ".mcp.json").write_text(json.dumps(SERVERS))
    scan(tmp_path, "shop")
    first, second, third = trend(tmp_path, capsys)
    gone = count_open(first) - count_open(second)
    assert gone >= 2
    assert [first[each] for each in COUNTS] == [None, None, None]
    assert [second[each] for each in COUNTS] == [0, gone, 0]
    assert [third[each] for each in COUNTS] == [gone, 0, 0]
    assert (len(third["new_ids"]), second["new_ids"]) == (gone, [])
    assert set(third["new_ids"]) < set(first["new_ids"])
    assert count_open(third) == count_open(first)
    assert second["missing_sources"] == []
    (last,) = trend(tmp_path, capsys, "--last", "1")
    assert last["snapshot"] == third["snapshot"]
    assert last["new"] is None


def test_findings_of_an_unreadable_source_are_not_resolved(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "other", {".git/HEAD": "x\n"})
    scan(tmp_path, "shop", "other")
    (shop / ".mcp.json").write_text("{")
    scan(tmp_path, "shop", "other")
    first, second = trend(tmp_path, capsys)
    assert [second[each] for each in COUNTS] == [0, 0, count_open(first)]
    assert second["missing_sources"] == [f"repo:{shop}"]


def test_a_scan_of_another_source_keeps_the_findings(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "other", {".git/HEAD": "x\n"})
    scan(tmp_path, "shop", "other")
    shutil.rmtree(shop)
    scan(tmp_path, "other")
    first, second = trend(tmp_path, capsys)
    assert [second[each] for each in COUNTS] == [0, 0, 0]
    assert second["high"] == first["high"] > 0


def test_a_store_without_a_snapshot_has_no_trend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--store", str(tmp_path / "store"), "scan", f"repo:{tmp_path / 'none'}"])
    assert trend(tmp_path, capsys, "--last", "3") in ([], trend(tmp_path, capsys))


def test_snapshots_of_some_days_are_spread_evenly() -> None:
    daily = [(day, f"day {day}") for day in range(100)]
    chosen = [int(name[4:]) for name in select_spread(daily, 70, 10)]
    assert len(chosen) == 10
    assert chosen[0] == 69  # the last one before these days is the one to compare with
    assert chosen[-2:] == [98, 99]
    gaps = [after - before for before, after in pairwise(chosen)]
    assert max(gaps) - min(gaps[:-2]) <= 1
    # All of a few; the newest one of none; many in one moment are spread by time.
    assert len(select_spread(daily[-4:], 0, 10)) == 4
    assert select_spread(daily[:1], 50, 10) == ["day 0"]
    assert select_spread([], 0, 10) == []
    burst = [(0, "a"), *((90, f"b{n}") for n in range(50)), (99, "c"), (100, "d")]
    names = select_spread(burst, 0, 10)
    assert (names[0], names[-2:]) == ("a", ["c", "d"])
    assert len(names) <= 10
    assert select_spread(daily, 70, 1) == ["day 99"]
