"""Numbers of findings over snapshots (`findings trend`)."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
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
