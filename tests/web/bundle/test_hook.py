"""A build has the bundle, or says in one line that it has none."""

import stat
from pathlib import Path
from typing import Any

import pytest

import bundle_ui

SCRIPT = """#!/bin/sh
echo "$@" >> calls
[ "$1" = ci ] && [ -n "$CI_FAILS" ] && echo "npm error network" >&2 && exit 1
[ "$1" = run ] && mkdir -p "$5" && echo bundled > "$5/htmx.js"
exit 0
"""


class RecordingBuilder:
    """What a build was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display_warning(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    ui = tmp_path / bundle_ui.SOURCES
    (ui / "src").mkdir(parents=True)
    (ui / "src" / "htmx.js").write_text("1")
    (ui / "package-lock.json").write_text("{}")
    (ui / "build.mjs").write_text("2")
    return tmp_path


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an npm of ours on PATH; it writes down what it was asked, where it stood."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    script = bin_ / "npm"
    script.write_text(SCRIPT)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
    return tmp_path / bundle_ui.SOURCES / "calls"


def built(root: Path, version: str = "standard") -> tuple[dict[str, Any], list[str]]:
    heard = RecordingBuilder()
    data: dict[str, Any] = {"artifacts": []}
    hook = bundle_ui.BundleHook(str(root), {}, None, None, str(root), "wheel", heard)
    hook.initialize(version, data)
    return data, heard.lines


def test_a_build_with_npm_takes_the_bundle(project: Path, npm: Path) -> None:
    data, said = built(project)
    assert data["artifacts"] == [f"/{bundle_ui.BUILT}/*"]
    assert said == []
    assert (project / bundle_ui.BUILT / "htmx.js").read_text() == "bundled\n"
    assert [line.split()[0] for line in npm.read_text().splitlines()] == ["ci", "run"]


def test_a_current_bundle_is_not_made_again(project: Path, npm: Path) -> None:
    built(project)
    npm.unlink()
    assert built(project)[0]["artifacts"]
    assert not npm.exists()


@pytest.mark.parametrize("file", ["src/htmx.js", "package-lock.json", "build.mjs"])
def test_a_bundle_of_other_sources_is_made_anew(
    project: Path, npm: Path, file: str
) -> None:
    built(project)
    npm.unlink()
    (project / bundle_ui.SOURCES / file).write_text("changed")
    built(project)
    assert npm.exists()


def test_a_build_without_npm_says_so_in_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project))
    data, [said] = built(project)
    assert data["artifacts"] == []
    assert "npm is not on PATH" in said
    assert "\n" not in said


def test_a_build_whose_npm_fails_says_why_and_ships_no_old_bundle(
    project: Path, npm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(project)
    (project / bundle_ui.SOURCES / "build.mjs").write_text("changed")
    monkeypatch.setenv("CI_FAILS", "1")
    data, [said] = built(project)
    assert data["artifacts"] == []
    assert "npm ci failed: npm error network" in said
    assert not (project / bundle_ui.BUILT / "htmx.js").exists()


def test_a_release_refuses_to_be_built_without_the_bundle(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project))
    monkeypatch.setenv(bundle_ui.REQUIRE_VARIABLE, "required")
    with pytest.raises(bundle_ui.BundleUnavailable, match="npm is not on PATH"):
        built(project)


def test_an_editable_install_never_runs_npm(project: Path, npm: Path) -> None:
    data, said = built(project, "editable")
    assert (data["artifacts"], said) == ([], [])
    assert not npm.exists()
