"""TOML, YAML, front matter, dotenv, INI and netrc, within bounds."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats.document_node import find_duplicate_keys
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.dotenv import parse_dotenv
from answerable.connectors.formats.front_matter import parse_front_matter
from answerable.connectors.formats.ini_parser import group_by_section, parse_ini
from answerable.connectors.formats.netrc_file import parse_netrc_text
from answerable.connectors.formats.toml_parser import parse_toml
from answerable.connectors.formats.yaml_parser import parse_yaml
from answerable.model.errors import ParseError

HOSTILE = {
    "toml brackets": (DocumentFormat.TOML, "a=" + "[" * 900_000),
    "toml dots": (DocumentFormat.TOML, "a." * 400_000 + "a=1"),
    "toml lines of brackets": (DocumentFormat.TOML, "a=" + "[\n" * 300_000),
    "yaml brackets": (DocumentFormat.YAML, "[" * 900_000),
    "yaml braces": (DocumentFormat.YAML, "{" * 900_000),
    "yaml dashes": (DocumentFormat.YAML, "- " * 400_000),
    "yaml anchors": (DocumentFormat.YAML, "&a " * 300_000),
    "yaml quote": (DocumentFormat.YAML, "'" * 900_001),
    "yaml laughs": (
        DocumentFormat.YAML,
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n"
            for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
    ),
    "yaml merges": (
        DocumentFormat.YAML,
        "a: &a {"
        + ", ".join(f"k{n}: 1" for n in range(20_000))
        + "}\n"
        + "".join(f"b{n}: {{<<: *a}}\n" for n in range(20_000)),
    ),
    "front matter": (DocumentFormat.FRONT_MATTER, "---\n" + "- " * 400_000 + "\n---\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_soon_and_only_in_a_parse_error(name: str) -> None:
    form, text = HOSTILE[name]
    start = time.process_time()
    with contextlib.suppress(ParseError):
        parse_document(text.encode(), form, "f")
    assert time.process_time() - start < 4.0


@given(st.binary(max_size=200), st.sampled_from(list(DocumentFormat)))
def test_any_bytes_parse_or_are_a_parse_error(
    data: bytes, form: DocumentFormat
) -> None:
    with contextlib.suppress(ParseError):
        parse_document(data, form, "f")


@given(
    st.text(alphabet="-?:,[]{}#&*!|>'\"%@` \n\tab<", max_size=80),
    st.sampled_from(list(DocumentFormat)),
)
def test_any_punctuation_parses_or_is_a_parse_error(
    text: str, form: DocumentFormat
) -> None:
    with contextlib.suppress(ParseError):
        parse_document(text.encode(), form, "f")


@given(st.text(max_size=200))
def test_line_formats_never_raise(text: str) -> None:
    parse_dotenv(text)
    parse_ini(text)
    parse_netrc_text(text)


def test_toml_becomes_the_same_tree_as_json() -> None:
    raw = parse_toml('a = 1\nd = 2026-11-24\n[b."c.d"]\nx = ["y", true]\n')
    assert raw == {"a": 1, "d": "2026-11-24", "b": {"c.d": {"x": ["y", True]}}}


@pytest.mark.parametrize("name", ["yaml laughs", "yaml merges"])
def test_yaml_that_grows_is_refused(name: str) -> None:
    with pytest.raises(ParseError, match="values"):
        parse_yaml(HOSTILE[name][1])


def test_yaml_keeps_on_and_numbers_as_text_and_takes_the_core_booleans() -> None:
    raw = parse_yaml("on: push\nversion: 1.10\nyes: yes\nx: true\ny: null\nz: 'true'\n")
    assert raw == {
        "on": "push",
        "version": "1.10",
        "yes": "yes",
        "x": True,
        "y": None,
        "z": "true",
    }


def test_yaml_tags_construct_nothing() -> None:
    assert parse_yaml("a: !!python/object/apply:os.system ['true']") == {"a": ["true"]}


def test_yaml_merges_and_doubled_keys_read_as_yaml_says() -> None:
    raw = parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {k: 1, k: 2}\n")
    assert raw == {
        "a": {"x": "1", "y": "2"},
        "b": {"x": "1", "y": "3"},
        "c": {"k": "2"},
    }
    assert find_duplicate_keys(raw) == ("/c/k",)


def test_an_error_in_yaml_names_line_and_column_and_quotes_nothing() -> None:
    with pytest.raises(ParseError) as caught:
        parse_yaml("a: b\n  token: 'hunter2-hunter2\n")
    assert "line" in str(caught.value)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("---\nname: a\ntools: [X, Y]\n---\nbody", {"name": "a", "tools": ["X", "Y"]}),
        ("---\nname: a\ndescription: Use: this\n---\n", None),
        ("no front matter", {}),
        ("---\n---\n", {}),
        ("---\n- a\n---\n", {}),
    ],
)
def test_front_matter_is_the_head_alone(text: str, value: object) -> None:
    expected = {"name": "a", "description": "Use: this"}
    assert parse_front_matter(text) == (expected if value is None else value)


def test_front_matter_that_is_not_closed_is_refused() -> None:
    with pytest.raises(ParseError, match="closing"):
        parse_front_matter("---\nname: a\n")


def test_dotenv_takes_quotes_exports_and_comments_off() -> None:
    text = "# c\nexport A='x # y'\nB=two # c\nC=\"q\"\nnot a line\n=none\nD=a=b\n"
    read = [(item.name, item.value) for item in parse_dotenv(text)]
    assert read == [("A", "x # y"), ("B", "two"), ("C", "q"), ("D", "a=b")]


def test_ini_reads_sections_and_the_last_of_a_doubled_name() -> None:
    text = "[profile a]\nx = 1\ns3 =\n  max = 2\nx=3\n; c\n[b]\ny=z=1\n"
    grouped = group_by_section(parse_ini(text))
    assert grouped["profile a"]["x"].value == "3"
    assert grouped["b"]["y"].value == "z=1"


def test_netrc_reads_machines_over_lines_and_past_macros() -> None:
    text = (
        "machine a login u password p\nmacdef init\nmachine no\n\n"
        "default\n login v\n password q\n"
    )
    read = [(item.name, item.login, item.password) for item in parse_netrc_text(text)]
    assert read == [("a", "u", "p"), ("default", "v", "q")]


def test_what_holds_values_does_not_show_them() -> None:
    shown = repr((parse_dotenv("A=hunter2"), parse_ini("[a]\nb=hunter2")))
    shown += repr(parse_netrc_text("machine a login u password hunter2"))
    shown += repr(parse_document(b'{"a": "hunter2"}', DocumentFormat.JSON, "f"))
    assert "hunter2" not in shown
