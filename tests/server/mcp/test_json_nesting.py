"""How deeply JSON is nested: as counted by hand, and in linear time."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.server.mcp.json_nesting import exceeds_depth

TEXTS = st.text(alphabet='[]{}"\\a,:é', max_size=6)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=30,
)
SIZE = 3_800_000


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(VALUES, st.integers(0, 8), st.booleans())
def test_it_is_deeper_exactly_where_counting_says_so(
    value: object, most: int, ascii: bool
) -> None:
    data = json.dumps(value, ensure_ascii=ascii).encode()
    assert exceeds_depth(data, most) == (depth_of(value) > most)


@pytest.mark.parametrize("text", [b"[" * 80, b"]" * 80, b'["' + b"[" * 80, b"[}" * 80])
def test_what_is_no_json_is_not_deeper(text: bytes) -> None:
    assert not exceeds_depth(text, 62)


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"[[[[[[1]]]]]]," * (SIZE // 14) + b"1]",
        b"[" + b'{"k":1},' * (SIZE // 8) + b"1]",
        b"[" * 61 + b"[]," * (SIZE // 3) + b"1" + b"]" * 61,
        b'["' + b'\\"' * (SIZE // 2) + b'",[],[]]' + b" " * 60,
        b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
    ],
    ids=["towers", "objects", "at the bottom", "quotes", "too deep"],
)
def test_its_time_grows_with_the_size_alone(text: bytes) -> None:
    exceeds_depth(b"[" * 63 + b"]" * 63, 62)
    began = time.process_time()
    exceeds_depth(text, 62)
    assert time.process_time() - began < 0.4  # 4 s before, for the first
