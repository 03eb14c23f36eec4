"""Each npm lock pins every package by its hash, and says of no registry."""

import json
from pathlib import Path
from typing import Any

import pytest

FOLDERS = (
    "tests/clients/node",
    "tests/mcp/node",
    "tests/sts/foreign/node",
    "tests/web/browser/node",
    "web-ui",
)
KINDS = ("dependencies", "devDependencies", "optionalDependencies")


def loose(lock: dict[str, Any]) -> list[str]:
    """Name each package without a hash, or with the address it came from."""
    packages = {name: of for name, of in lock["packages"].items() if name}
    return [
        name
        for name, of in packages.items()
        if not of.get("integrity", "").startswith("sha512-") or "resolved" in of
    ]


def ranges(package: dict[str, Any]) -> list[str]:
    """Name each dependency that is not asked for at one version."""
    return [
        name
        for kind in KINDS
        for name, version in package.get(kind, {}).items()
        if not version[0].isdigit()
    ]


def test_every_lock_is_looked_at(root: Path) -> None:
    # Hidden folders hold what the Makefile installs, made from these.
    locks = [
        lock
        for top in root.iterdir()
        if top.is_dir() and not top.name.startswith(".")
        for lock in top.rglob("package-lock.json")
        if "node_modules" not in lock.parts
    ]
    assert {str(lock.parent.relative_to(root)) for lock in locks} == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_package_is_pinned_by_its_hash(root: Path, folder: str) -> None:
    lock = json.loads((root / folder / "package-lock.json").read_text())
    assert len(lock["packages"]) > 1
    assert loose(lock) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_package_is_asked_for_at_one_version(root: Path, folder: str) -> None:
    assert ranges(json.loads((root / folder / "package.json").read_text())) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_lock_is_of_what_is_asked_for(root: Path, folder: str) -> None:
    package = json.loads((root / folder / "package.json").read_text())
    lock = json.loads((root / folder / "package-lock.json").read_text())
    asked = [kind for kind in KINDS if kind in package]
    assert asked
    for kind in asked:
        assert lock["packages"][""][kind] == package[kind]


@pytest.mark.parametrize("folder", FOLDERS)
def test_npm_is_told_to_leave_addresses_out(root: Path, folder: str) -> None:
    told = (root / folder / ".npmrc").read_text().splitlines()
    assert "omit-lockfile-registry-resolved=true" in told


@pytest.mark.parametrize(
    "of", [{}, {"integrity": "sha1-x"}, {"integrity": "sha512-x", "resolved": "y"}]
)
def test_a_planted_loose_package_is_named(of: dict[str, str]) -> None:
    assert loose({"packages": {"": {}, "node_modules/x": of}}) == ["node_modules/x"]


@pytest.mark.parametrize("version", ["^1.0.0", "~1.0", "latest", "*", ">=2"])
def test_a_planted_range_is_named(version: str) -> None:
    assert ranges({"dependencies": {"x": version, "y": "1.2.3"}}) == ["x"]
