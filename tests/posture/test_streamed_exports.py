"""Exports are written while they are built: no long list is in memory."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.export.cyclonedx import build_cyclonedx
from answerable.export.json_text import iterate_json_text
from answerable.export.opengraph import build_opengraph

TEXTS = st.text(max_size=4)
LEAVES = st.none() | st.booleans() | st.integers() | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
MANY = 5_000
Build = Callable[[Any, Any, Any], Mapping[str, object]]


def streamed(value: object) -> object:
    """Replace the lists of objects by iterators."""
    if isinstance(value, dict):
        return {key: streamed(each) for key, each in value.items()}
    return iter(value) if isinstance(value, list) else value


@given(VALUES)
def test_streamed_text_is_that_of_the_whole_value(value: object) -> None:
    text = "".join(iterate_json_text(streamed(value)))
    assert text == json.dumps(value, indent=1)


def build_bill(agents: Any, credentials: Any, identities: Any) -> Mapping[str, object]:
    return build_cyclonedx(agents, credentials, identities, timestamp="", version="")


class Identities:
    """Many items, with the number of those that were built in the last pass."""

    def __init__(self) -> None:
        self.built = 0

    def __iter__(self) -> Iterator[dict[str, object]]:
        self.built = 0
        for number in range(MANY):
            self.built += 1
            owner = {"person": f"person:{number % 3}"}
            yield {"id": f"id:{number}", "kind": "role", "owner": owner}


@pytest.mark.parametrize("build", [build_bill, build_opengraph])
def test_items_are_built_while_they_are_written(build: Build) -> None:
    identities = Identities()
    credential = {"id": "cred:1", "kind": "key", "identity": "id:4321"}
    written = built = 0
    text = ""
    for each in iterate_json_text(build((), (credential,), identities)):
        text += each
        if "id:0" in text and not built:
            built, written = identities.built, len(text)
    assert built == 1
    assert written < len(text) / 100
    assert text.count('"id:4321"') >= 2
    json.loads(text)
