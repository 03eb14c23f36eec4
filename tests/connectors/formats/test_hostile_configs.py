"""Configurations written to cost time or memory are read in part, and say so."""

import json
import time
import tracemalloc

import pytest

from answerable.connectors.formats.agent_clients import ClientConfigFile, FileRole
from answerable.connectors.formats.agent_config import (
    ClientFacts,
    ConfigDocument,
    EnvFileReader,
    build_client_facts,
)
from answerable.connectors.formats.agent_definition import parse_agent_definition
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.dotenv import DotenvVariable
from answerable.connectors.formats.env_file import EnvFile
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.connectors.formats.mcp_server_map import FOUND_LIMIT, parse_server_maps
from answerable.model.errors import ParseError
from answerable.model.provenance import WrittenBy
from answerable.model.tool import BUILT_IN


def sighted(
    text: str, read_env_file: EnvFileReader = lambda _p, _n: None
) -> ClientFacts:
    entry = ClientConfigFile(
        "claude-code", ".claude.json", DocumentFormat.JSON, FileRole.SETTINGS
    )
    document = parse_document(text.encode(), DocumentFormat.JSON, "f")
    file = ConfigDocument(entry, "f", document, WrittenBy.SELF_REPORTED)
    frame = SightingContext(
        "home:x", "home:x", WrittenBy.SELF_REPORTED, 1, lambda _v: "0" * 24
    )
    return build_client_facts("claude-code", ("x",), [file], frame, read_env_file)


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
    "many servers turned off": json.dumps(
        {
            "disabledMcpjsonServers": [f"off{n}" for n in range(100_000)],
            "mcpServers": {f"a{n}": {"command": "x"} for n in range(2_000)},
        }
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_configuration_is_read_soon(name: str) -> None:
    # Time of this process: what else the machine does is not the document's fault.
    start = time.process_time()
    sighted(HOSTILE[name])
    assert time.process_time() - start < 6.0


@pytest.mark.parametrize("name", ["many servers", "many variables", "many words"])
def test_what_was_cut_is_named(name: str) -> None:
    assert [problem.kind.value for problem in sighted(HOSTILE[name]).problems]


def test_more_values_than_a_configuration_has_are_refused() -> None:
    with pytest.raises(ParseError, match="values"):
        parse_document(b"[" + b"1," * 250_000 + b"1]", DocumentFormat.JSON, "f")


def test_a_path_longer_than_a_configuration_has_is_refused() -> None:
    text = '{"%s": 1}' % ("k" * 5_000)
    with pytest.raises(ParseError, match="path"):
        parse_document(text.encode(), DocumentFormat.JSON, "f")


def test_aliases_side_by_side_are_counted_before_they_are_expanded() -> None:
    text = "a: &a [" + "1," * 60_000 + "]\nb: [" + "*a ," * 60_000 + "]\n"
    tracemalloc.start()
    with pytest.raises(ParseError, match="more than 200000 values"):
        parse_document(text.encode(), DocumentFormat.YAML, "f")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 256 << 20


def test_a_long_list_of_tools_is_split_in_linear_time() -> None:
    start = time.process_time()
    root = DocumentNode("", {"tools": "a" * 2_000_000 + ", Agent(b, c)"})
    assert parse_agent_definition(root, "x").starts == ("b", "c")
    assert time.process_time() - start < 6.0


def test_many_sub_agents_and_many_servers_do_not_multiply_with_their_rules() -> None:
    rules = [f"mcp__other{n}__run" for n in range(499)]
    definition = parse_agent_definition(
        DocumentNode("", {"tools": [*rules, "@last/run"]}), "x"
    )
    start = time.process_time()
    assert not any(definition.may_use_server(f"a{n}") for n in range(100_000))
    assert definition.may_use_server("last")
    assert time.process_time() - start < 6.0


def test_variables_that_a_document_declares_are_bounded() -> None:
    root = DocumentNode(
        "",
        {
            "mcpServers": {f"a{n}": {"command": "x"} for n in range(2_000)},
            "settings": [{"envVar": f"API_KEY_{n}"} for n in range(50_000)],
        },
    )
    maps = parse_server_maps(
        ClientConfigFile("gemini-cli", "gemini-extension.json"), root
    )
    assert max(len(server.found) for server in maps.servers) == FOUND_LIMIT
    assert ("/settings", f"more than {FOUND_LIMIT} credentials") in maps.faults


def test_one_environment_file_of_many_servers_is_sighted_once() -> None:
    names = {f"a{n}": {"command": "x", "envFile": ".env"} for n in range(50)}
    text = json.dumps({"mcpServers": names})
    variables = (DotenvVariable("API_TOKEN", "v" * 20, 1),)
    found = sighted(text, lambda _p, _n: EnvFile("/x/.env", variables))
    assert len(found.credentials) == 1
    servers = [tool for tool in found.tools if tool.transport not in BUILT_IN]
    assert {tool.credentials for tool in servers} == {(found.credentials[0].id,)}
