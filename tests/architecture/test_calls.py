"""Calls: no literal is unpacked in place, and at most six arguments are positional.

A call of a function that takes any number of words (`*words`) has no such limit: its
arguments are one list.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.parsed_modules import parse_modules

MOST_POSITIONAL = 6
LITERALS = (ast.Tuple, ast.List, ast.Set, ast.Constant)


def read_trees(root: Path) -> dict[str, ast.Module]:
    """Read each module of the package, by its path in the checkout."""
    return {
        path.relative_to(root).as_posix(): tree
        for path, tree in parse_modules(root / "src" / "answerable")
    }


def literal_splats(trees: dict[str, ast.Module]) -> list[str]:
    """Name each `*(a, b)` in a call, a tuple, a list or a set."""
    return [
        f"{path}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Starred) and isinstance(node.value, LITERALS)
    ]


def long_calls(trees: dict[str, ast.Module]) -> list[str]:
    """Name each call with more positional arguments than the limit."""
    variadic = {name for tree in trees.values() for name in _variadic_names(tree)}
    return [
        f"{path}:{node.lineno} {_called_name(node)}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and len(node.args) > MOST_POSITIONAL
        and _called_name(node) not in variadic
    ]


def _variadic_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.args.vararg
        ):
            yield node.name


def _called_name(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def plant(root: Path, text: str) -> None:
    path = root / "src" / "answerable" / "planted.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)


@pytest.fixture(scope="module")
def package(root: Path) -> dict[str, ast.Module]:
    return read_trees(root)


def test_no_literal_is_unpacked_in_place(package: dict[str, ast.Module]) -> None:
    assert literal_splats(package) == []


@pytest.mark.parametrize(
    "text", ["f(*(1, 2))", "x = [*(1, 2), 3]", "x = 1, *[2]", "x = {*{1}}", "f(*'ab')"]
)
def test_an_unpacked_literal_is_named(tmp_path: Path, text: str) -> None:
    plant(tmp_path, text)
    assert literal_splats(read_trees(tmp_path)) == ["src/answerable/planted.py:1"]


def test_unpacking_of_a_value_is_welcome(tmp_path: Path) -> None:
    plant(tmp_path, "f(*words)\nx = [*a, *b.c, *d(), *((1,) if e else ())]\n")
    assert literal_splats(read_trees(tmp_path)) == []


def test_no_call_has_more_than_six_positional_arguments(
    package: dict[str, ast.Module],
) -> None:
    assert long_calls(package) == []


@pytest.mark.parametrize("call", ["f", "a.f"])
def test_a_call_with_seven_positional_arguments_is_named(
    tmp_path: Path, call: str
) -> None:
    plant(tmp_path, f"{call}(1, 2, 3, 4, 5, 6)\n{call}(1, 2, 3, 4, 5, 6, 7)\n")
    assert long_calls(read_trees(tmp_path)) == ["src/answerable/planted.py:2 f"]


def test_names_and_any_number_of_words_are_welcome(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "def f(*words): ...\nf(1, 2, 3, 4, 5, 6, 7)\ng(1, 2, 3, 4, 5, 6, a=7, b=8)\n",
    )
    assert long_calls(read_trees(tmp_path)) == []
