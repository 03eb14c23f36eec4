"""`scan --config FILE` reads the sources of a configuration."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main


def scan(folder: Path, text: str, *words: str) -> int:
    path = folder / "etc" / "answerable.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    store = ("--store", str(folder / "store"), "-o", "json")
    return main([*store, "scan", "--config", str(path), *words])


def test_the_sources_of_a_configuration_are_scanned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc" / "code").mkdir(parents=True)
    assert scan(tmp_path, "sources: [repo:code]\n") == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["source"] == f"repo:{tmp_path}/etc/code"


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        ("store: x\n", (), "has no `sources`"),
        ("sources: [repo:code]\n", ("home:~",), "cannot be combined with --config"),
        ("sources: ['No Source']\n", (), "expected NAME or NAME:LOCATION"),
        ("sources: [nope]\n", (), "unknown source 'nope'"),
        ("sources: repo\n", (), "expected a list"),
    ],
)
def test_what_cannot_be_scanned_is_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    words: tuple[str, ...],
    says: str,
) -> None:
    assert scan(tmp_path, text, *words) == 2
    assert says in capsys.readouterr().err
