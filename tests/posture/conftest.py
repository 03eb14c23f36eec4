"""Scan files into a store, and list its findings, as a user does."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.cli.sample.fake_access_keys import make_access_key_id, make_fake_secret
from tests.posture.pull_requests import SECRET as PULL_REQUEST_SECRET

KEY = make_access_key_id("222233334444", "legacy-sync")
SECRET = make_fake_secret("legacy-sync")
# A late day until which a file may accept a finding.
LATEST_DAY = str(datetime.now(UTC).date() + timedelta(days=365))
Items = list[dict[str, Any]]
Findings = Callable[..., tuple[int, Items]]
Diff = Callable[..., tuple[int, Items]]


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Findings:
    """Scan sources into a store, and list its findings."""

    def run(*sources: str, words: tuple[str, ...] = ()) -> tuple[int, Items]:
        store = ["--store", str(tmp_path / "store"), "-o", "json"]
        if sources:
            main([*store, "scan", *sources])
        capsys.readouterr()
        code = main([*store, "findings", *words])
        return code, json.loads(capsys.readouterr().out)["items"]

    return run


@pytest.fixture
def diff(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Diff:
    """Compare two sides; returns the exit code and the items."""

    def run(*words: object) -> tuple[int, Items]:
        store = ["--store", str(tmp_path / "store"), "-o", "json"]
        capsys.readouterr()
        code = main([*store, "diff", *map(str, words)])
        out = capsys.readouterr()
        assert PULL_REQUEST_SECRET not in out.out + out.err
        return code, json.loads(out.out)["items"] if out.out else []

    return run
