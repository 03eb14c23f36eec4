"""Names: one class name has one meaning, and no name is in private language."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.parsed_modules import parse_modules

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
# Architecture metaphors, pronouns and adverbs; the field has a word for each of them.
FORBIDDEN = {
    "anew",
    "beside",
    "desk",
    "door",
    "floor",
    "hall",
    "house",
    "kin",
    "nobody",
    "somebody",
    "story",
    "told",
    "voices",
    "whatever",
    "whoever",
    "whose",
}
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def read_modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield each module of the package: its path in the checkout, and its tree."""
    for path, tree in parse_modules(root / "src" / "answerable"):
        yield path.relative_to(root).as_posix(), tree


def shared_class_names(root: Path) -> list[str]:
    """Name each class that two modules define, with the modules."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, tree in read_modules(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path)
    return [
        f"{name}: {', '.join(paths)}"
        for name, paths in sorted(found.items())
        if len(paths) > 1
    ]


def forbidden_names(root: Path) -> list[str]:
    """Name each module, class and function with a forbidden word in its name."""
    found = []
    for path, tree in read_modules(root):
        parts = Path(path).with_suffix("").parts[2:]
        found += [f"{path}: {part}" for part in parts if _is_forbidden(part)]
        found += [
            f"{path}:{node.lineno} {node.name}"
            for node in ast.walk(tree)
            if isinstance(node, Definition) and _is_forbidden(node.name)
        ]
    return found


def _is_forbidden(name: str) -> bool:
    return not FORBIDDEN.isdisjoint(word.lower() for word in WORD.findall(name))


def plant(root: Path, place: str, text: str) -> None:
    path = root / "src" / "answerable" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_each_class_name_is_defined_once(root: Path) -> None:
    assert shared_class_names(root) == []


def test_a_class_name_that_two_modules_define_is_named(tmp_path: Path) -> None:
    plant(tmp_path, "sts/cache.py", "class Cache: ...\n")
    plant(tmp_path, "web/cache.py", "class Other:\n    class Cache: ...\n")
    assert shared_class_names(tmp_path) == [
        "Cache: src/answerable/sts/cache.py, src/answerable/web/cache.py"
    ]


def test_no_name_has_a_forbidden_word(root: Path) -> None:
    assert forbidden_names(root) == []


@pytest.mark.parametrize(
    ("place", "text", "found"),
    [
        ("sts/door.py", "", "src/answerable/sts/door.py: door"),
        ("hall/x.py", "", "src/answerable/hall/x.py: hall"),
        ("sts/x.py", "class StoreDesk: ...\n", "src/answerable/sts/x.py:1 StoreDesk"),
        ("sts/x.py", "def _told(): ...\n", "src/answerable/sts/x.py:1 _told"),
        (
            "sts/x.py",
            "async def ask_anew(): ...\n",
            "src/answerable/sts/x.py:1 ask_anew",
        ),
    ],
)
def test_a_forbidden_word_is_named(
    tmp_path: Path, place: str, text: str, found: str
) -> None:
    plant(tmp_path, place, text)
    assert forbidden_names(tmp_path) == [found]


def test_a_word_that_only_contains_one_is_welcome(tmp_path: Path) -> None:
    plant(tmp_path, "sts/x.py", "class Warehouse: ...\ndef shall_begin(): ...\n")
    assert forbidden_names(tmp_path) == []
