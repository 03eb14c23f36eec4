"""Pure packages, model and parsers do no IO: they get data, and read no clock."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.parsed_modules import parse_module

# Packages that do IO. Every other package is pure.
OUTSIDE = {
    "__main__",
    "cli",
    "collector",
    "connectors",
    "demo",
    "gateway",
    "pdp",
    "server",
    "services",
    "store",
    "sts",
    "usecases",
    "web",
}

CALLS = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}
CLOCKS = {"now", "today", "utcnow"}
# (module, name): neither imported from it nor reached through it.
REACHES = {
    ("io", "open"),
    ("pathlib", "Path"),
    ("pathlib", "PosixPath"),
    ("sys", "argv"),
    ("sys", "stderr"),
    ("sys", "stdin"),
    ("sys", "stdout"),
    ("urllib", "request"),
    ("uuid", "uuid1"),
    ("uuid", "uuid4"),
}
MODULES = {"urllib.request", "urllib.error", "http.client"}


def pure_files(root: Path) -> list[Path]:
    """List the files that must be pure: packages, formats, parsers, wire formats."""
    package = root / "src" / "answerable"
    files: list[Path] = []
    for child in package.iterdir():
        if child.is_dir() and child.name not in OUTSIDE:
            files += child.rglob("*.py")
    connectors = package / "connectors"
    files += (connectors / "formats").rglob("*.py")
    files += connectors.glob("formats.py")
    files += connectors.glob("*/parse.py")
    files += connectors.glob("*/parse/**/*.py")
    files += (package / "pdp" / "wire").rglob("*.py")
    files += (package / "gateway" / "wire").rglob("*.py")
    files += (package / "server" / "mcp").rglob("*.py")
    files += (package / "server" / "wire").rglob("*.py")
    files += (package / "web" / "svg").rglob("*.py")
    return sorted(files)


def impurities(root: Path) -> list[str]:
    """Name each place in a pure file that reaches for the world."""
    found = []
    for path in pure_files(root):
        tree = parse_module(path)
        for line, what in sorted(set(_impure(tree))):
            found.append(f"{path.relative_to(root)}:{line} {what}")
    return found


def _impure(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, what) for what in _impure_import(node))
        elif isinstance(node, ast.Call | ast.Attribute):
            yield from ((node.lineno, what) for what in _impure_use(node))


def _impure_import(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"import {a.name}" for a in node.names if a.name in MODULES)
        return
    for alias in node.names:
        if (node.module, alias.name) in REACHES or node.module in MODULES:
            yield f"from {node.module} import {alias.name}"


def _impure_use(node: ast.Call | ast.Attribute) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield f"{name}()"
        case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
            yield f".{name}()"
        case ast.Attribute(value=ast.Name(id=base), attr=name):
            if (base, name) in REACHES:
                yield f"{base}.{name}"


def test_no_pure_file_reaches_for_clock_disk_or_terminal(root: Path) -> None:
    assert pure_files(root), "found no pure file: has the package moved?"
    assert impurities(root) == []


@pytest.mark.parametrize(
    "line",
    [
        "open('x')",
        "print('x')",
        "input()",
        "datetime.now(tz=UTC)",
        "datetime.datetime.now(tz=UTC)",
        "date.today()",
        "from pathlib import Path",
        "import pathlib; pathlib.Path('x')",
        "import urllib.request",
        "from urllib import request",
        "from urllib.request import urlopen",
        "import io; io.open('x')",
        "import sys; sys.stderr.write('x')",
        "uuid.uuid4()",
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "reach/solve.py",
        "model/ids.py",
        "connectors/aws/parse.py",
        "connectors/repo/parse/workflow.py",
        "connectors/formats/jsonc.py",
        "server/mcp/call.py",
        "server/wire/head.py",
        "a_future_package/deep/inside.py",
    ],
)
def test_a_planted_impurity_is_named(tmp_path: Path, place: str, line: str) -> None:
    planted = tmp_path / "src" / "answerable" / place
    planted.parent.mkdir(parents=True)
    planted.write_text(f'"""Doc."""\n{line}\n')
    found = impurities(tmp_path)
    assert found
    assert all(name.startswith(f"src/answerable/{place}:2 ") for name in found)


@pytest.mark.parametrize(
    "place", ["connectors/aws/fetch.py", "gateway/listener.py", "store/disk.py"]
)
def test_the_world_facing_files_may_touch_the_world(tmp_path: Path, place: str) -> None:
    planted = tmp_path / "src" / "answerable" / place
    planted.parent.mkdir(parents=True)
    planted.write_text("open('x')\n")
    assert impurities(tmp_path) == []


def test_pure_paths_and_url_parsing_are_welcome(tmp_path: Path) -> None:
    planted = tmp_path / "src" / "answerable" / "reach" / "paths.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(
        "from pathlib import PurePath\nfrom urllib.parse import quote\n"
        "from datetime import UTC, datetime\ndatetime.fromisoformat('2026-01-01')\n"
    )
    assert impurities(tmp_path) == []
