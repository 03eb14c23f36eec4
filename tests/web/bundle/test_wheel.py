"""A wheel of a clean clone has the bundle, or says that it has none; either serves."""

import gzip
import os
import re
import select
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import bundle_ui

pytestmark = pytest.mark.world

ROOT = Path(__file__).parents[3]
MADE = ("NOTICES.txt", "chart.css", "chart.js", "graph.js", "htmx.js")
LINK = re.compile(r'(?:href|src)="(/assets/[^"]+)"')
WHERE = re.compile(r"web (http://127\.0\.0\.1:[0-9]+)\n")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean") / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


def build(folder: Path, out: Path, kind: str, *, npm: bool) -> tuple[Path, str]:
    """Build as `python -m build` does, in this environment."""
    empty = out / "no-programs"
    empty.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", out],
        cwd=folder,
        env={**os.environ, **({} if npm else {"PATH": str(empty)})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (made,) = (each for each in out.iterdir() if each.is_file())
    return made, done.stdout + done.stderr


def bundled(wheel: Path) -> set[str]:
    base = bundle_ui.BUILT.removeprefix("src/") + "/"
    names = zipfile.ZipFile(wheel).namelist()
    return {name.removeprefix(base) for name in names if name.startswith(base)}


@pytest.fixture(scope="module")
def plain(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A wheel made where there is no npm; made first, as the clone is clean then."""
    return build(clone, tmp_path_factory.mktemp("plain"), "wheel", npm=False)


@pytest.fixture(scope="module")
def whole(
    clone: Path, plain: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A wheel made where there is."""
    return build(clone, tmp_path_factory.mktemp("whole"), "wheel", npm=True)


def test_a_wheel_made_without_npm_says_in_one_line_that_it_has_no_bundle(
    plain: tuple[Path, str],
) -> None:
    wheel, said = plain
    lines = [line for line in said.splitlines() if "without the bundle" in line]
    assert len(lines) == 1
    assert "npm is not on PATH" in lines[0]
    assert bundled(wheel) == set()


def test_a_wheel_made_with_npm_has_the_bundle_and_its_licences(
    whole: tuple[Path, str],
) -> None:
    wheel, said = whole
    assert "without the bundle" not in said
    assert set(MADE) <= bundled(wheel)
    notices = zipfile.ZipFile(wheel).read(
        f"{bundle_ui.BUILT.removeprefix('src/')}/NOTICES.txt"
    )
    for name in (b"htmx.org", b"cytoscape ", b"@dagrejs/graphlib", b"uplot"):
        assert name in notices


def test_what_every_page_loads_is_small_and_the_rest_waits_to_be_looked_at(
    whole: tuple[Path, str],
) -> None:
    base = bundle_ui.BUILT.removeprefix("src/")
    packed = zipfile.ZipFile(whole[0])
    size = {n: len(gzip.compress(packed.read(f"{base}/{n}"))) for n in MADE}
    assert size["htmx.js"] <= 16 << 10
    assert size["chart.js"] + size["chart.css"] <= 28 << 10
    assert size["graph.js"] <= 180 << 10


def test_a_wheel_made_from_an_sdist_needs_no_npm(
    clone: Path, whole: tuple[Path, str], tmp_path: Path
) -> None:
    sdist, _ = build(clone, tmp_path / "sdist", "sdist", npm=True)
    with tarfile.open(sdist) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    (folder,) = (tmp_path / "unpacked").iterdir()
    wheel, said = build(folder, tmp_path / "again", "wheel", npm=False)
    assert "without the bundle" not in said
    assert bundled(wheel) == bundled(whole[0])


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where nothing of the repository is installed but what the wheel needs."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    install(folder, "--require-hashes", "-r", str(ROOT / "requirements/core.txt"))
    return folder


def install(folder: Path, *what: str) -> None:
    uv = (str(ROOT / "scripts/bootstrap"), "uv")
    python = str(folder / "bin/python")
    subprocess.run(
        [*uv, "pip", "install", "--quiet", "--python", python, *what],
        cwd=ROOT,
        check=True,
        timeout=600,
    )


@contextmanager
def served(environment: Path, wheel: Path, folder: Path) -> Iterator[str]:
    """Install a wheel, and serve the page of an empty store with it."""
    install(environment, "--no-deps", "--reinstall", str(wheel))
    program = str(environment / "bin/answerable")
    (folder / "home").mkdir()
    store = ("--store", str(folder / "store"))
    subprocess.run(
        [program, *store, "--quiet", "scan", f"home:{folder}/home"], check=True
    )
    with subprocess.Popen(
        [program, *store, "serve", "--only", "web", "--listen", "127.0.0.1:0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield where(running)
        finally:
            running.terminate()
            running.wait(60)
    assert running.returncode == 0


def where(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    until, said = time.monotonic() + 60, ""
    while time.monotonic() < until and running.poll() is None:
        if select.select([running.stdout], [], [], 1)[0]:
            said += running.stdout.readline()
            if found := WHERE.fullmatch(said.splitlines(keepends=True)[-1]):
                return found[1]
    raise AssertionError(f"nothing is served: {said}")


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_the_page_of_an_installed_wheel_has_all_it_asks_for(
    environment: Path, whole: tuple[Path, str], tmp_path: Path
) -> None:
    with served(environment, whole[0], tmp_path) as url:
        status, page = get(f"{url}/sign-in")
        links = LINK.findall(page)
        assert status == 200
        assert any("built/htmx.js" in link for link in links)
        assert {get(url + link)[0] for link in links} == {200}
        for name in MADE:
            assert get(f"{url}/assets/built/{name}")[0] == 200


def test_the_page_answers_without_the_bundle_too(
    environment: Path, plain: tuple[Path, str], tmp_path: Path
) -> None:
    with served(environment, plain[0], tmp_path) as url:
        status, page = get(f"{url}/sign-in")
        links = LINK.findall(page)
        assert status == 200
        assert links
        assert not any("built/" in link for link in links)
        assert {get(url + link)[0] for link in links} == {200}
        assert get(f"{url}/assets/built/htmx.js")[0] == 404
