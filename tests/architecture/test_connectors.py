"""One foreign system, one folder, one line in the table, one name in the contract."""

import ast
import tomllib
from pathlib import Path

import pytest

SHARED = {"formats"}


def folders(root: Path) -> list[str]:
    """Name each connector folder on disk."""
    connectors = root / "src" / "answerable" / "connectors"
    return sorted(
        child.name
        for child in connectors.glob("*")
        if child.is_dir() and child.name not in SHARED and list(child.glob("*.py"))
    )


def incomplete(root: Path) -> list[str]:
    """Name each part that a connector folder lacks."""
    connectors = root / "src" / "answerable" / "connectors"
    listed = _table(connectors / "registry.py")
    lacks = []
    for name in folders(root):
        here = connectors / name
        lacks += [
            f"{name} has no {part}"
            for part in ("fetch", "parse", "declaration")
            if not (here / f"{part}.py").exists() and not (here / part).is_dir()
        ]
        if name not in listed:
            lacks.append(f"{name} has no line in registry.py")
    return lacks


def _table(path: Path) -> set[str]:
    """Name the connectors that the table imports."""
    if not path.exists():
        return set()
    prefix = "answerable.connectors."
    dotted: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            dotted |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            dotted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted.add(node.value.replace(":", "."))
    return {name.split(".")[2] for name in dotted if name.startswith(prefix)}


def contract(root: Path) -> list[str]:
    """Name the connectors that the independence contract lists."""
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    (modules,) = (
        contract["modules"]
        for contract in document["tool"]["importlinter"]["contracts"]
        if contract["name"] == "Connectors do not know each other"
    )
    return sorted(name.removeprefix("answerable.connectors.") for name in modules)


def plant(root: Path, name: str) -> Path:
    """Make a whole connector folder, and the table that lists it alone."""
    here = root / "src" / "answerable" / "connectors" / name
    here.mkdir(parents=True)
    for part in ("__init__", "fetch", "parse", "declaration"):
        (here / f"{part}.py").touch()
    (here.parent / "registry.py").write_text(
        f"from answerable.connectors.{name} import x"
    )
    return here


def test_every_connector_folder_is_whole(root: Path) -> None:
    assert incomplete(root) == []


def test_the_independence_contract_lists_the_folders_on_disk(root: Path) -> None:
    assert contract(root) == folders(root)


def test_the_shared_formats_are_no_connector(tmp_path: Path) -> None:
    plant(tmp_path, "formats")
    assert folders(tmp_path) == []


def test_a_whole_connector_lacks_nothing(tmp_path: Path) -> None:
    plant(tmp_path, "gitlab")
    assert incomplete(tmp_path) == []


def test_a_parse_may_be_a_package(tmp_path: Path) -> None:
    here = plant(tmp_path, "gitlab")
    (here / "parse.py").unlink()
    (here / "parse").mkdir()
    assert incomplete(tmp_path) == []


@pytest.mark.parametrize("part", ["fetch", "parse", "declaration"])
def test_a_missing_part_is_named(tmp_path: Path, part: str) -> None:
    (plant(tmp_path, "gitlab") / f"{part}.py").unlink()
    assert incomplete(tmp_path) == [f"gitlab has no {part}"]


def test_a_missing_line_in_the_table_is_named(tmp_path: Path) -> None:
    plant(tmp_path, "jira")
    plant(tmp_path, "gitlab")
    assert incomplete(tmp_path) == ["jira has no line in registry.py"]
    table = tmp_path / "src" / "answerable" / "connectors" / "registry.py"
    table.write_text("X = ['answerable.connectors.jira.fetch:Jira']\n")
    assert incomplete(tmp_path) == ["gitlab has no line in registry.py"]
