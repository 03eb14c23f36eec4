"""Only fullmatch: `$` lets a trailing newline through, and `^a|b$` half anchors."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.parsed_modules import parse_module

HALF_ANCHORED = {"match", "search"}


def half_anchored(root: Path) -> list[str]:
    """Name each use of match or search on `re` or on a compiled pattern."""
    found = []
    for top in ("src", "scripts"):
        for path in sorted((root / top).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if not any(name in text for name in HALF_ANCHORED):
                continue
            tree = parse_module(path)
            lines = sorted(set(_uses(tree)))
            found += [f"{path.relative_to(root)}:{line}" for line in lines]
    return found


def _uses(tree: ast.AST) -> Iterator[int]:
    patterns = {"re"} | set(_compiled(tree))
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="re", names=names):
                if HALF_ANCHORED & {alias.name for alias in names}:
                    yield node.lineno
            case ast.Attribute(value=ast.Name(id=base), attr=attr):
                if base in patterns and attr in HALF_ANCHORED:
                    yield node.lineno
            case ast.Attribute(value=ast.Call() as call, attr=attr):
                if _is_compile(call) and attr in HALF_ANCHORED:
                    yield node.lineno


def _compiled(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_compile(node.value):
            yield from (t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and _is_compile(node.value):
            if isinstance(node.target, ast.Name):
                yield node.target.id
        elif isinstance(node, ast.NamedExpr) and _is_compile(node.value):
            yield node.target.id


def _is_compile(node: ast.AST | None) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="compile")):
            return True
    return False


def test_no_regex_is_half_anchored(root: Path) -> None:
    assert half_anchored(root) == []


@pytest.mark.parametrize(
    "line",
    [
        "re.match('a$', x)",
        "re.search('a', x)",
        "from re import match",
        "P = re.compile('a'); P.match(x)",
        "P: re.Pattern[str] = re.compile('a'); P.search(x)",
        "re.compile('a').match(x)",
        "use = re.match",
    ],
)
def test_a_planted_half_anchored_regex_is_named(tmp_path: Path, line: str) -> None:
    source = tmp_path / "src" / "answerable"
    source.mkdir(parents=True)
    (source / "loose.py").write_text(f"import re\n{line}\n")
    assert half_anchored(tmp_path) == ["src/answerable/loose.py:2"]


def test_fullmatch_and_pure_path_match_are_welcome(tmp_path: Path) -> None:
    source = tmp_path / "src" / "answerable"
    source.mkdir(parents=True)
    (source / "tight.py").write_text(
        "import re\nP = re.compile('a')\nP.fullmatch(x)\npath.match('*.py')\n"
    )
    assert half_anchored(tmp_path) == []
