"""Docstrings of modules: each names its subject first, in a noun phrase or imperative."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.parsed_modules import parse_modules

# A first word of these makes a reader search for the subject.
INDIRECT = re.compile(
    r"(?:How|That|What|Whatever|When|Where|Wherever|Whether|Which|Who|Whoever|Whom"
    r"|Whose|Why)\b(?!-)"
)


def docstring_faults(root: Path) -> list[str]:
    """Name each module whose docstring is missing or begins with an indirect word."""
    found = []
    for path, tree in parse_modules(root / "src" / "answerable"):
        text = ast.get_docstring(tree)
        if text is None and tree.body:
            found.append(f"{path.relative_to(root)} has no docstring")
        elif text and INDIRECT.match(text):
            found.append(f"{path.relative_to(root)}: {text.splitlines()[0]}")
    return found


def test_each_module_docstring_names_its_subject(root: Path) -> None:
    assert docstring_faults(root) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"""What a store keeps."""\n', ": What a store keeps."),
        ('"""Whose key it is."""\n', ": Whose key it is."),
        ('"""How a key is made."""\n', ": How a key is made."),
        ("x = 1\n", " has no docstring"),
    ],
)
def test_a_docstring_of_another_form_is_named(
    tmp_path: Path, text: str, found: str
) -> None:
    path = tmp_path / "src" / "answerable" / "planted.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert docstring_faults(tmp_path) == [f"src/answerable/planted.py{found}"]


@pytest.mark.parametrize(
    "text",
    ["", '"""Replay cache, backed by SQLite."""\n', '"""What-if page."""\n'],
)
def test_a_docstring_in_this_form_is_welcome(tmp_path: Path, text: str) -> None:
    path = tmp_path / "src" / "answerable" / "planted.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert docstring_faults(tmp_path) == []
