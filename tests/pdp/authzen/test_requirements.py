"""Every normative sentence of AuthZEN 1.0 has a test that shows it, or binds others."""

import ast
import copy
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
LEVELS = {
    *("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"),
    *("REQUIRED", "RECOMMENDED", "OPTIONAL"),
}
OTHERS = {"pep", "spec", "iana"}


def manifest() -> dict[str, Any]:
    """Return a manifest of the caller's own."""
    return copy.deepcopy(_manifest())


@cache
def _manifest() -> dict[str, Any]:
    text = (HERE / "requirements.yaml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.CSafeLoader)  # type: ignore[no-any-return]


def faults(said: dict[str, Any], tests: Path = HERE.parent) -> list[str]:
    """Name what the manifest lacks."""
    found = []
    counted: Counter[str] = Counter()
    for each in said["requirements"]:
        section, _, number = each["id"].rpartition("-")
        counted[section] += 1
        if number != str(counted[section]):
            found.append(f"{each['id']}: out of order")
        if each["level"] not in LEVELS or not each["text"]:
            found.append(f"{each['id']}: no level or text")
        if ("tests" in each) == ("binds" in each):
            found.append(f"{each['id']}: neither shown nor another's")
        if each.get("binds", "pep") not in OTHERS:
            found.append(f"{each['id']}: binds nobody")
        found += [
            f"{each['id']}: {test} is not there"
            for test in each.get("tests", ())
            if not _is_there(tests, test)
        ]
    if dict(counted) != said["sentences"]:
        found.append("sentences: not as many as the specification has")
    return found


def _is_there(tests: Path, name: str) -> bool:
    file, _, test = name.partition("::")
    return test in _functions(tests / file)


@cache
def _functions(path: Path) -> frozenset[str]:
    """Names of the functions of a module; none where there is no such file."""
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(n.name for n in tree.body if isinstance(n, ast.FunctionDef))


def test_the_manifest_is_whole() -> None:
    said = manifest()
    assert faults(said) == []
    assert len(said["requirements"]) == sum(said["sentences"].values()) == 127


@pytest.mark.parametrize(
    "plant",
    [
        lambda each: each.pop("tests"),
        lambda each: each.update(tests=["test_evaluation.py::test_nothing"]),
        lambda each: each.update(tests=["test_nothing.py::test_nothing"]),
        lambda each: each.update(level="COULD"),
        lambda each: each.update(binds="pep"),
        lambda each: each.update(id="2-2"),
    ],
    ids=["unshown", "no test", "no file", "no level", "both", "order"],
)
def test_a_planted_gap_is_named(plant: Any) -> None:
    said = manifest()
    plant(said["requirements"][0])
    assert faults(said)


def test_a_sentence_that_is_left_out_is_missed() -> None:
    said = manifest()
    del said["requirements"][-1]
    assert faults(said)
