"""The enforcement path is assembled once, for worker, stdio wrapper, hook and PDP."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.parsed_modules import parse_modules

SOURCES = Path(__file__).parents[2] / "src" / "answerable"
CORE = ("server/enforcement/", "gateway/enforcement.py")
TRANSPORTS = ("gateway/", "pdp/")


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    """Parse every module of the package, by its path in it."""
    return {
        path.relative_to(SOURCES).as_posix(): tree
        for path, tree in parse_modules(SOURCES)
    }


def calls(tree: ast.AST) -> Iterator[str]:
    """Name what a module calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def assembled_again(package: dict[str, ast.Module]) -> list[str]:
    """List the classes that the core builds and a transport builds as well."""
    classes = {
        node.name
        for tree in package.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    core = {
        name
        for path, tree in package.items()
        if path.startswith(CORE)
        for name in calls(tree)
        if name in classes
    }
    assert {"Authorizer", "RevocationWatch", "StatementWatch", "CallPipeline"} <= core
    return sorted(
        f"{path} builds {name}"
        for path, tree in package.items()
        if path.startswith(TRANSPORTS) and not path.startswith(CORE)
        for name in set(calls(tree)) & core
    )


def test_no_transport_builds_a_class_that_the_enforcement_core_builds(
    modules: dict[str, ast.Module],
) -> None:
    assert assembled_again(modules) == []


def test_a_second_assembly_is_found(modules: dict[str, ast.Module]) -> None:
    again = {"pdp/again.py": ast.parse("watch = RevocationWatch(files)")}
    package = modules | again
    assert assembled_again(package) == ["pdp/again.py builds RevocationWatch"]
