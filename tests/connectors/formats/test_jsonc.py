"""JSON as people write it, and as nobody should."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats.document_node import (
    DEPTH_LIMIT,
    DocumentNode,
    find_duplicate_keys,
    walk_scalars,
)
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.jsonc_parser import parse_jsonc
from answerable.model.errors import ParseError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, // one\n "b": [1, 2,], }', {"a": 1, "b": [1, 2]}),
        ('/* head */ {"a": "//not a comment", "b": "/* nor this */"}', None),
        ('{"a": "\\"}//", }', {"a": '"}//'}),
        ('{"a": [1, /* c */ ], /* d */ }', {"a": [1]}),
        ('["a,]", "b",\n//x\n]', ["a,]", "b"]),
        ("[\n]", []),
        ("1e3", 1000.0),
    ],
)
def test_comments_and_trailing_commas_are_read_past(text: str, value: object) -> None:
    expected = {"a": "//not a comment", "b": "/* nor this */"}
    assert parse_jsonc(text) == (expected if value is None else value)


@pytest.mark.parametrize(
    "text",
    [
        "[,]",
        "{,}",
        "[1,,2]",
        "[1,,]",
        '{"a":,}',
        '{"a" 1}',
        "[1] 2",
        "{'a': 1}",
        '"open',
        "/* open",
        "[1 / 2]",
        "NaN",
        "[Infinity]",
        "",
        '{"a": "\\ud800"}',
        "]",
        '{"a": tru,}',
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_jsonc(text)


def test_the_offset_of_an_error_is_that_of_the_file_as_written() -> None:
    text = '{"a": 1, // a comment\n "b": ?}'
    with pytest.raises(ParseError) as caught:
        parse_jsonc(text)
    assert text[caught.value.offset] == "?"


def test_a_message_and_its_causes_hold_no_value() -> None:
    with pytest.raises(ParseError) as caught:
        parse_document(
            b'{"token": "hunter2-hunter2" "x"}', DocumentFormat.JSON, "f.json"
        )
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in repr(error) + str(vars(error))
        error = error.__cause__ or error.__context__


@given(JSON)
def test_strict_json_reads_as_the_standard_library_reads_it(value: object) -> None:
    text = json.dumps(value)
    assert parse_jsonc(text) == value


@given(st.text(alphabet='[]{},:"\\/*\n 1a', max_size=60))
def test_any_text_parses_or_is_a_parse_error(text: str) -> None:
    offset = 0
    try:
        parse_jsonc(text)
    except ParseError as error:
        offset = error.offset
    assert -1 <= offset <= len(text)


def test_a_doubled_key_is_named_and_its_last_value_holds() -> None:
    raw = parse_jsonc('{"m": {"a": 1, "b": 2, "a": 3}, "l": [{"x/y": 1, "x/y": 2}]}')
    assert find_duplicate_keys(raw) == ("/l/0/x~1y", "/m/a")
    assert DocumentNode("", raw).descend("m") is not None
    assert [leaf.text() for leaf in walk_scalars(DocumentNode("", raw))] == [
        "3",
        "2",
        "2",
    ]


@pytest.mark.parametrize("mark", ["[", '{"a":', "[[1],"])
def test_depth_is_a_parse_error_and_no_recursion(mark: str) -> None:
    with pytest.raises(ParseError, match="levels of nesting"):
        parse_jsonc(mark * 200_000)
    fits = "[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT
    assert parse_jsonc(fits) is not None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "/*" * 500_000,
        "//\n" * 300_000 + "{}",
        "/**/" * 250_000 + "[]",
        '["' + '\\"' * 500_000 + '"]',
        '"a",' * 250_000,
        '"\\n' * 300_000,
        "[1," * 90 + "/**/" * 200_000,
    ],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    def seconds(value: str) -> float:
        start = time.process_time()
        with pytest.raises(ParseError):
            parse_jsonc(value + "?")
        return time.process_time() - start

    assert seconds(text) < 4.0


def test_a_byte_order_mark_is_read_past_and_other_encodings_are_not_guessed() -> None:
    assert parse_document(b"\xef\xbb\xbf{}", DocumentFormat.JSON, "f").root.is_object
    with pytest.raises(ParseError, match="UTF-8"):
        parse_document("{}".encode("utf-16"), DocumentFormat.JSON, "f")


def test_a_file_over_the_size_limit_is_not_parsed() -> None:
    with pytest.raises(ParseError, match="larger"):
        parse_document(b" " * ((8 << 20) + 1), DocumentFormat.JSON, "f")
