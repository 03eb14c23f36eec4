"""`findings`, as a user meets it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.cli.sample.fake_access_keys import make_access_key_id, make_fake_secret

KEY = make_access_key_id("222233334444", "legacy-sync")
SECRET = make_fake_secret("legacy-sync")
Items = list[dict[str, Any]]
Findings = Callable[..., tuple[int, Items]]

FILES: Mapping[str, str] = {
    "shop/.git/HEAD": "ref: refs/heads/main\n",
    "shop/.env": f"AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}\n",
    "shop/.mcp.json": json.dumps(
        {
            "mcpServers": {
                "s3": {
                    "command": "/opt/s3-mcp/run",
                    "env": {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
                }
            }
        }
    ),
}


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


def test_a_key_in_two_files_and_an_agent_without_owner_are_found(
    findings: Findings, tmp_path: Path
) -> None:
    code, items = findings(f"repo:{write(tmp_path / 'work', FILES)}")
    assert code == 0
    rules = [(each["rule"], each["severity"]) for each in items]
    assert ("scattered-credential", "high") in rules
    assert ("unowned-agent", "medium") in rules
    assert SECRET not in json.dumps(items)


def test_fail_on_exits_1_at_its_severity(findings: Findings, tmp_path: Path) -> None:
    code, _ = findings(
        f"repo:{write(tmp_path / 'work', FILES)}", words=("--fail-on", "high")
    )
    assert code == 1
    code, _ = findings(words=("--fail-on", "critical", "--platform", "github"))
    assert code == 0


def test_an_id_survives_line_moves_and_new_neighbours(
    findings: Findings, tmp_path: Path
) -> None:
    root = write(tmp_path / "work", FILES)
    _, before = findings(f"repo:{root}")
    moved = {
        "shop/.env": f"# one\n# two\nOTHER=1\n{FILES['shop/.env']}",
        "lab/.git/HEAD": "ref: refs/heads/main\n",
        "lab/.env": f"AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}\n",
    }
    write(root, moved)
    _, after = findings(f"repo:{root}")
    assert {each["id"] for each in before} <= {each["id"] for each in after}
