"""The import contracts name every layer and pure package on disk."""

import tomllib
from pathlib import Path

import pytest

WORLD = {
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


def contracts(root: Path) -> list[dict[str, list[str]]]:
    """Read the import contracts of a checkout."""
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    listed: list[dict[str, list[str]]] = document["tool"]["importlinter"]["contracts"]
    return listed


def pure_layers(root: Path) -> set[str]:
    """Name every pure package and the model, as the layers contract lists them."""
    (layers,) = (c["layers"] for c in contracts(root) if "exhaustive" in c)
    named = {name.strip() for layer in layers for name in layer.split("|")}
    return named - WORLD


def unguarded(root: Path) -> set[str]:
    """Name every pure package that the contract on purity forgets."""
    (guarded,) = (
        set(c["source_modules"])
        for c in contracts(root)
        if "answerable.model" in c.get("source_modules", [])
    )
    return {n for n in pure_layers(root) if f"answerable.{n}" not in guarded}


def test_every_pure_package_is_forbidden_io(root: Path) -> None:
    assert "model" in pure_layers(root)
    assert unguarded(root) == set()


def test_the_layers_leave_no_package_out(root: Path) -> None:
    (layers,) = (c for c in contracts(root) if "exhaustive" in c)
    assert layers["exhaustive"] is True
    assert "exhaustive_ignores" not in layers
    assert "ignore_imports" not in layers


def test_no_contract_has_a_list_of_exceptions(root: Path) -> None:
    assert [c["name"] for c in contracts(root) if "ignore_imports" in c] == []


@pytest.mark.parametrize("package", ["reach", "evidence", "model"])
def test_a_forgotten_package_is_named(tmp_path: Path, root: Path, package: str) -> None:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    start = text.index('type = "forbidden"\nsource_modules = [\n  "answerable.model"')
    planted = text[:start] + text[start:].replace(f'"answerable.{package}"', '"x"', 1)
    if package == "model":
        planted = text.replace('  "model",\n', '  "model | billing",\n')
        package = "billing"
    (tmp_path / "pyproject.toml").write_text(planted)
    assert unguarded(tmp_path) == {package}
