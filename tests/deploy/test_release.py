"""Releases: agreeing versions, an SBOM of the locks, and reproducible bytes."""

import importlib
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

import release
import write_man_page
from answerable import __version__
from answerable.cli.main import main

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 11, 30, tzinfo=UTC)


def write_tree(folder: Path, version: str, heading: str) -> Path:
    (folder / "src" / "answerable").mkdir(parents=True)
    (folder / "src" / "answerable" / "__init__.py").write_text(
        f'__version__ = "{version}"\n'
    )
    (folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
    (folder / "CHANGELOG.md").write_text(f"# Changes\n\n## {heading}\n\n- one\n")
    return folder


def test_the_notes_of_a_release_are_its_section(tmp_path: Path) -> None:
    root = write_tree(tmp_path, "1.2.0", "1.2.0 - 2026-12-01")
    assert release.check_version(root, "1.2.0") == "- one\n"


@pytest.mark.parametrize(
    ("heading", "version", "why"),
    [
        ("1.2.0 - unreleased", "1.2.0", "unreleased"),
        ("1.1.0 - 2026-11-01", "1.2.0", "no section"),
        ("1.3.0 - 2026-12-01", "1.3.0", "does not have version"),
    ],
)
def test_versions_that_differ_are_refused(
    tmp_path: Path, heading: str, version: str, why: str
) -> None:
    root = write_tree(tmp_path, "1.2.0", heading)
    with pytest.raises(release.ReleaseError, match=why):
        release.check_version(root, version)


def test_the_sbom_lists_each_locked_package_with_its_hashes() -> None:
    sbom = release.build_sbom(ROOT, __version__, AT)
    names = {each["name"] for each in sbom["components"]}
    assert {"cryptography", "duckdb", "msgspec", "htmx.org"} <= names
    python = [c for c in sbom["components"] if c["purl"].startswith("pkg:pypi/")]
    assert all(each["hashes"] for each in python)
    lock = (ROOT / "requirements" / "core.txt").read_text()
    assert len(python) == lock.count("==") - lock.count("python_version ==")
    assert sbom == release.build_sbom(ROOT, __version__, AT)


def test_the_recipe_runs_make_and_signs() -> None:
    recipe = yaml.safe_load(
        (ROOT / ".github" / "workflows" / "release.yml").read_text()
    )
    assert recipe["permissions"] == {}
    steps = [step for job in recipe["jobs"].values() for step in job["steps"]]
    commands = " ".join(step.get("run", "") for step in steps)
    # Values of the event reach a shell by variables alone.
    assert "${{" not in commands
    assert "make release" in commands
    assert "cosign sign" in commands


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_wheel_has_the_completion_script(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    path = ROOT / "deploy" / "completion" / f"answerable.{shell}"
    assert path.read_text() == capsys.readouterr().out
    assert path.name in (ROOT / "pyproject.toml").read_text()


def test_the_wheel_has_the_manual_page_of_every_command() -> None:
    page = write_man_page.write_man_page()
    assert write_man_page.PAGE.read_text() == page, "run scripts/write_man_page.py"
    assert (
        str(write_man_page.PAGE.relative_to(ROOT))
        in (ROOT / "pyproject.toml").read_text()
    )
    for words in ("answerable can", "answerable store retain", "\\-\\-allow\\-partial"):
        assert words in page
    assert page.count("\\-\\-allow\\-partial") == 1


@pytest.mark.world
@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff")
def test_the_manual_page_is_valid_roff() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(write_man_page.PAGE)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


@pytest.mark.world
def test_the_sbom_is_valid_cyclonedx() -> None:
    validation = importlib.import_module("cyclonedx.validation.json")
    schema = importlib.import_module("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    sbom = release.build_sbom(ROOT, __version__, AT)
    assert validator.validate_str(json.dumps(sbom)) is None


@pytest.mark.world
def test_two_builds_have_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "source.tar"
    subprocess.run(["git", "archive", "-o", str(source), "HEAD"], cwd=ROOT, check=True)
    out = tmp_path / "out"
    out.mkdir()
    uv = str(ROOT / ".uv" / "bin" / "uv")
    release.build_twice([uv], source, out, 1_795_824_000)
    assert {path.suffix for path in out.iterdir()} == {".whl", ".gz"}
