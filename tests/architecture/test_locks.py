"""Locks match pyproject.toml, carry hashes, and agree with each other."""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

import lock_requirements

PIN = re.compile(r"([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ;[^\\]+)?(?: \\)?")
HASH = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}(?: \\)?")


def stale(root: Path) -> list[str]:
    """Name each lock that was made from other tables than pyproject.toml holds."""
    expected = lock_requirements.header(
        lock_requirements.digest(root / "pyproject.toml")
    )
    found = []
    for name in lock_requirements.LOCKS:
        path = root / "requirements" / f"{name}.txt"
        if not path.exists():
            found.append(f"{name}.txt is missing")
        elif not path.read_text(encoding="utf-8").startswith(expected):
            found.append(f"{name}.txt is stale: run `make lock`")
    return found


def loose(root: Path) -> list[str]:
    """Name each line that is neither a pin with a hash, nor a hash, nor a comment."""
    found = []
    for path in sorted((root / "requirements").glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("#") or HASH.fullmatch(line):
                continue
            if not (PIN.fullmatch(line) and HASH.fullmatch(following)):
                found.append(f"{path.name}: {line}")
    return found


def disagreements(root: Path) -> list[str]:
    """Name each distribution that two locks pin at different versions."""
    pins: dict[tuple[str, str], set[str]] = {}
    for path in sorted((root / "requirements").glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if pin := PIN.fullmatch(line):
                marker = line.partition(" ; ")[2].rstrip(" \\")
                pins.setdefault((pin[1], marker), set()).add(pin[2])
    return sorted(name for (name, _), versions in pins.items() if len(versions) > 1)


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(root: Path, lock: str) -> set[str]:
    """Names of the distributions that one lock pins."""
    text = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    pins = (PIN.fullmatch(line) for line in text.splitlines())
    return {normalised(pin[1]) for pin in pins if pin}


def shared_paths(installed: Iterable[Distribution], names: set[str]) -> list[str]:
    """Name each path that two of these distributions own, by their RECORD."""
    owners: dict[str, set[str]] = defaultdict(set)
    for distribution in installed:
        name = normalised(distribution.metadata["Name"])
        if name in names:
            for file in distribution.files or ():
                owners[str(file)].add(name)
    return [
        f"{path}: {', '.join(sorted(of))}"
        for path, of in sorted(owners.items())
        if len(of) > 1
    ]


# The other locks are for environments of their own.
@pytest.mark.parametrize(
    "lock", ["core", "aws", "ext-authz", "otel", "postgres", "dev", "build", "world"]
)
def test_no_two_distributions_of_a_lock_own_one_path(root: Path, lock: str) -> None:
    installed = list(distributions(path=sys.path))
    names = locked(root, lock)
    if lock == "world":
        names |= locked(root, "dev")  # they share one environment
    else:
        has = {normalised(each.metadata["Name"]) for each in installed}
        assert len(names & has) > len(names) * 0.9, names - has
    assert shared_paths(installed, names) == []


def test_a_path_of_two_distributions_is_named(tmp_path: Path) -> None:
    for name in ("one", "Two.x"):
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n")
        (info / "RECORD").write_text(f"google/api/http.py,,\n{name}/own.py,,\n")
        # Where importlib_metadata is installed, files that do not exist are left out.
        for path in ("google/api/http.py", f"{name}/own.py"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
    found = list(distributions(path=[str(tmp_path)]))
    assert shared_paths(found, {"one", "two-x"}) == ["google/api/http.py: one, two-x"]
    assert shared_paths(found, {"one"}) == []


def test_every_lock_was_made_from_the_tables_of_pyproject(root: Path) -> None:
    assert stale(root) == []


def test_every_lock_line_is_a_pin_with_hashes(root: Path) -> None:
    assert loose(root) == []


def test_no_two_locks_disagree(root: Path) -> None:
    assert disagreements(root) == []


@pytest.fixture
def copied(root: Path, tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    for path in [root / "pyproject.toml", *(root / "requirements").glob("*.txt")]:
        (tmp_path / path.relative_to(root)).write_bytes(path.read_bytes())
    return tmp_path


def test_a_changed_dependency_makes_every_lock_stale(copied: Path) -> None:
    pyproject = copied / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(text.replace('"click>=8.5,<9"', '"click>=8.4,<9"'))
    assert len(stale(copied)) == len(lock_requirements.LOCKS)


def test_a_changed_lint_rule_makes_no_lock_stale(copied: Path) -> None:
    pyproject = copied / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(text.replace("line-length = 88", "line-length = 99"))
    assert stale(copied) == []


def test_a_missing_lock_is_named(copied: Path) -> None:
    (copied / "requirements" / "aws.txt").unlink()
    assert stale(copied) == ["aws.txt is missing"]


@pytest.mark.parametrize(
    "line", ["click==8.5.1", "click>=8", "-e .", "--index https://mirror.example"]
)
def test_a_line_without_a_hash_is_named(copied: Path, line: str) -> None:
    with (copied / "requirements" / "core.txt").open("a") as lock:
        lock.write(f"{line}\n")
    assert loose(copied) == [f"core.txt: {line}"]


def test_two_versions_of_one_distribution_are_named(copied: Path) -> None:
    with (copied / "requirements" / "build.txt").open("a") as lock:
        lock.write("click==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    assert disagreements(copied) == ["click"]
