"""Sources that cannot be read: each fails with one line, and the others continue."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.collector.source_run import run_source
from answerable.connectors.registry import CONNECTORS
from answerable.store.store import EvidenceStore
from tests.collector.log_files import write_log
from tests.collector.running_collector import collecting

SOURCES = [each.spec.name for each in CONNECTORS]
FOLDERS = ("home", "repo")  # of which everything in a folder is optional


def write_bad_inputs(folder: Path) -> dict[str, Path]:
    """Write one bad location of each kind."""
    places = {
        kind: folder / kind
        for kind in ("folder", "pipe", "garbage", "broken", "empty", "huge", "missing")
    }
    places["folder"].mkdir()
    os.mkfifo(places["pipe"])
    places["garbage"].write_bytes(bytes(range(256)) * 400)
    places["broken"].write_bytes(b'{"a": [1, {"b": \n')
    places["empty"].write_bytes(b"")
    with places["huge"].open("wb") as file:
        file.truncate(6 << 30)  # sparse
    places["folder of pipes"] = folder / "pipes"
    places["folder of pipes"].mkdir()
    os.mkfifo(places["folder of pipes"] / "1.json")
    return places


@pytest.mark.parametrize("source", SOURCES)
def test_a_bad_location_fails_with_one_line(source: str, tmp_path: Path) -> None:
    EvidenceStore.open(tmp_path / "store", now=1).close()
    for kind, place in write_bad_inputs(tmp_path).items():
        result = run_source(tmp_path / "store", f"{source}:{place}")
        if source in FOLDERS and "folder" in kind:
            assert result.failure == "", kind
            continue
        said = (result.failure, *result.problems)
        # A faulty configuration is scanned in part; its coverage has the faults.
        assert any(said) or (result.is_partial and source == "config"), kind
        assert not any("\n" in line or "internal error" in line for line in said), kind
        assert all(len(line) < 400 for line in said), kind


def test_the_other_sources_continue_and_the_bad_ones_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write_bad_inputs(tmp_path)
    write_log(tmp_path / "logs" / "1.json", 0, 10)
    sources: list[Any] = [
        {"source": f"aws:{bad['pipe']}", "every": "1h"},
        {"source": f"pg:{bad['garbage']}", "every": "1h"},
        {"source": f"k8s:{bad['missing']}", "every": "1h"},
        {"source": f"github:{bad['huge']}", "every": "1h"},
        {"source": f"cloudtrail:{tmp_path}/logs", "every": "1h"},
    ]
    names = ("aws", "pg", "k8s", "github")
    with collecting(tmp_path, {"sources": sources}) as collector:
        for name in names:
            failed = collector.hear("source.failed", f"{name}:")
            assert "\n" not in failed["why"]
            assert collector.source(name)["failures"] >= 1
        collector.hear("source.collected", "cloudtrail:")
    assert main(["--store", str(tmp_path / "store"), "agents", "-o", "json"]) in (0, 3)
    coverage = json.loads(capsys.readouterr().out)["coverage"]
    assert coverage["partial"]
    found = {each["source"].partition(":")[0]: each for each in coverage["sources"]}
    for name in names:
        assert "its last scheduled run failed" in found[name]["problems"][0]
