"""A wheel of a clean clone installs with pip, pipx and uv, and runs with no repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.world

VERSIONS = ("3.11", "3.12", "3.13")
SECONDS = 600


def call(*command: str | Path, cwd: Path, **settings: str) -> str:
    """Run a command in a home of its own; its output."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**{n: v for n, v in os.environ.items() if n[:4] != "XDG_"}, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    call("git", "clone", "--quiet", root, "clone", cwd=folder)
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    npm = shutil.which("npm") is not None
    call(*build, cwd=folder / "clone", ANSWERABLE_UI="required" if npm else "")
    shutil.rmtree(folder / "clone")
    (made,) = folder.glob("*.whl")
    return made


def interpreter(version: str) -> str:
    """An interpreter of this version that runs, on PATH or one of pyenv's."""
    names = [shutil.which(f"python{version}")]
    if root := os.environ.get("PYENV_ROOT"):
        versions = Path(root, "versions")
        names += [str(each) for each in versions.glob(f"{version}.*/bin/python")]
    tell = "import sys; print('%d.%d' % sys.version_info[:2])"
    for name in filter(None, names):
        done = subprocess.run([name, "-c", tell], capture_output=True, text=True)
        if done.stdout.strip() == version:
            return name
    pytest.skip(f"no Python {version} here")


def check(program: Path, folder: Path, home: Path) -> None:
    """The installed command runs the demo, and writes to no default store."""
    assert (
        call(program, "--version", cwd=folder, HOME=str(home)) == "answerable 0.1.0\n"
    )
    text = call(program, "demo", cwd=folder, HOME=str(home))
    assert "That was the whole chain" in text
    assert not (home / ".local/share/answerable").exists()
    answered = call(program, "doctor", cwd=folder, HOME=str(home))
    assert "Traceback" not in answered


@pytest.mark.parametrize("version", VERSIONS)
def test_pip_installs_it_into_an_environment(
    wheel: Path, version: str, tmp_path: Path
) -> None:
    call(interpreter(version), "-m", "venv", "env", cwd=tmp_path)
    call(tmp_path / "env/bin/pip", "install", "--quiet", wheel, cwd=tmp_path)
    check(tmp_path / "env/bin/answerable", tmp_path, tmp_path)


def test_uv_installs_it_as_a_tool(wheel: Path, root: Path, tmp_path: Path) -> None:
    uv = (root / "scripts/bootstrap", "uv", "tool", "install", "--quiet")
    python = ("--python", sys.executable)
    call(*uv, *python, wheel, cwd=tmp_path, HOME=str(tmp_path))
    check(tmp_path / ".local/bin/answerable", tmp_path, tmp_path)


def test_pipx_installs_it(wheel: Path, tmp_path: Path) -> None:
    call(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    call(tmp_path / "env/bin/pip", "install", "--quiet", "pipx", cwd=tmp_path)
    pipx = (tmp_path / "env/bin/pipx", "install", "--python", sys.executable)
    call(*pipx, wheel, cwd=tmp_path, HOME=str(tmp_path))
    check(tmp_path / ".local/bin/answerable", tmp_path, tmp_path)
