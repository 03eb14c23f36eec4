"""Configurations written to cost time or memory are read in part, and say so."""

import json
import time

import pytest

from answerable.connectors.formats.agent_config import (
    ClientSightings,
    ConfigDocument,
    sight_client,
)
from answerable.connectors.formats.clients import ConfigFile, Role
from answerable.connectors.formats.document import Format, parse_document
from answerable.connectors.formats.sighting_frame import Frame
from answerable.model.errors import ParseError
from answerable.model.written import WrittenBy


def sighted(text: str) -> ClientSightings:
    entry = ConfigFile("claude-code", ".claude.json", Format.JSON, Role.SETTINGS)
    document = parse_document(text.encode(), Format.JSON, "f")
    file = ConfigDocument(entry, "f", document, WrittenBy.SELF_REPORTED)
    frame = Frame("home:x", "home:x", WrittenBy.SELF_REPORTED, 1, lambda _v: "0" * 24)
    return sight_client("claude-code", ("x",), [file], frame, lambda _p, _n: None)


def entry(**fields: object) -> str:
    return json.dumps({"mcpServers": {"a": fields}})


HOSTILE = {
    "a long path above many texts": '{"'
    + "k" * 4_000
    + '": ['
    + ",".join(['"aaaaaaaa"'] * 60_000)
    + "]}",
    "many tokens": "{"
    + ",".join(f'"a{n}_token": "aaaaaaaa"' for n in range(60_000))
    + "}",
    "many servers": '{"mcpServers": {'
    + ",".join(f'"a{n}": {{"command": "x"}}' for n in range(60_000))
    + "}}",
    "many variables": '{"mcpServers": {"a": {"command": "x", "env": {'
    + ",".join(f'"a{n}_token": "a"' for n in range(100_000))
    + "}}}}",
    "open references": entry(command="x", args=["${" * 500_000]),
    "nested references": entry(command="x", args=["${A:-" * 100_000 + "}" * 100_000]),
    "many words": entry(command="x", args=["a b --token " * 100_000]),
    "many braces": entry(command="x", args=["{" * 3_000_000]),
    "a strange url": entry(url="https://" + "a@:/?&=#" * 500_000),
    "many references": entry(url="x", headers={"Authorization": "${A}" * 500_000}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_configuration_is_read_soon(name: str) -> None:
    start = time.perf_counter()
    sighted(HOSTILE[name])
    assert time.perf_counter() - start < 6.0


@pytest.mark.parametrize("name", ["many servers", "many variables", "many words"])
def test_what_was_cut_is_named(name: str) -> None:
    assert [problem.kind.value for problem in sighted(HOSTILE[name]).problems]


def test_more_values_than_a_configuration_has_are_refused() -> None:
    with pytest.raises(ParseError, match="values"):
        parse_document(b"[" + b"1," * 250_000 + b"1]", Format.JSON, "f")


def test_a_path_longer_than_a_configuration_has_is_refused() -> None:
    text = '{"%s": 1}' % ("k" * 5_000)
    with pytest.raises(ParseError, match="path"):
        parse_document(text.encode(), Format.JSON, "f")
