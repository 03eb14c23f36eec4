"""No value of a secret, and no eight characters of one, leaves the parser."""

import json
import re
import traceback
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from answerable.connectors.formats.agent_clients import ClientConfigFile
from answerable.connectors.formats.agent_config import (
    ConfigDocument,
    build_client_facts,
)
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.connectors.formats.secret_formats import looks_random
from answerable.connectors.home.fetch import sync
from answerable.model.connector import SyncContext
from answerable.model.errors import ParseError
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync
from answerable.model.tool import BUILT_IN

# Every secret of the fixtures holds this word, so that a new one is covered by itself.
CANARY = re.compile(r"CNRY[A-Za-z0-9]{12,}")
ENCODED = ("CNRYbasicAuthPassword42", "CNRYdockerPassword4242")
PIECE = 8

# Some generated like real ones, some that only their position gives away.
SECRETS = st.binary(max_size=8).map(
    lambda seed: (
        "CNRY" + re.sub(r"\W", "", b64encode(sha256(seed).digest()).decode())[:24]
    )
) | st.from_regex(r"CNRY[A-Za-z2-9]{16,24}", fullmatch=True)
POSITIONS = {
    "env": {"command": "x", "env": {"A_TOKEN": "§"}},
    "env dsn": {"command": "x", "env": {"DATABASE_URL": "postgres://u:§@h/d"}},
    "env default": {"command": "x", "env": {"A_TOKEN": "${B:-§}"}},
    "env nested default": {"command": "x", "env": {"A_TOKEN": "${B:-${C:-§}}"}},
    "env secret key": {"command": "x", "env": {"AWS_SECRET_ACCESS_KEY": "§"}},
    "env unknown name": {"command": "x", "env": {"ANYTHING": "ghp_§"}},
    "env list": {"command": "x", "env": ["A_TOKEN=§"]},
    "env connection": {"command": "x", "env": {"C": "Server=h;Password=§"}},
    "env url": {"command": "x", "env": {"PROXY": "http://u:§@h:3128"}},
    "env pem": {
        "command": "x",
        "env": {"K": "-----BEGIN PRIVATE KEY-----\n§\n-----END PRIVATE KEY-----"},
    },
    "env jwt": {"command": "x", "env": {"J": "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.§"}},
    "env in a file name": {"command": "x", "env": {"A_KEY_FILE": '{"k": "§"}'}},
    "header": {"url": "https://h/x", "headers": {"Authorization": "Bearer §"}},
    "header basic": {"url": "https://h/x", "headers": {"Authorization": "Basic §"}},
    "header key": {"url": "https://h/x", "headers": {"X-API-Key": "§"}},
    "header cookie": {"url": "https://h/x", "headers": {"Cookie": "sid=§"}},
    "url userinfo": {"url": "https://u:§@h/x"},
    "url user": {"url": "https://ghp_§@h/x"},
    "url query": {"url": "https://h/x?token=§&y=1"},
    "url query of no name": {"url": "https://h/x?zz=§"},
    "url fragment": {"url": "https://h/x#access_token=§"},
    "url path": {"url": "https://h/s/§/mcp"},
    "server url": {"serverUrl": "https://u:§@h/x"},
    "flag": {"command": "x", "args": ["--token", "§"]},
    "flag with equals": {"command": "x", "args": ["--api-key=§"]},
    "flag of docker": {"command": "docker", "args": ["run", "-e", "A_TOKEN=§"]},
    "flag of docker joined": {"command": "docker", "args": ["run", "-eA_TOKEN=§"]},
    "flag header": {"command": "x", "args": ["--header", "Authorization: Bearer §"]},
    "flag header joined": {"command": "x", "args": ["--header=X-API-Key:§"]},
    "flag user": {"command": "curl", "args": ["-u", "ana:§"]},
    "argument dsn": {"command": "x", "args": ["postgres://u:§@h/d"]},
    "argument dsn with a slash": {"command": "x", "args": ["postgres://u:a/§@h/d"]},
    "argument variable": {"command": "env", "args": ["A_TOKEN=§", "x"]},
    "argument shape": {"command": "x", "args": ["sk-ant-§"]},
    "argument connection": {"command": "x", "args": ["--c", "Server=h;Pwd=§;"]},
    "argument json": {"command": "x", "args": ["--config", '{"apiKey": "§"}']},
    "argument shell": {"command": "sh", "args": ["-c", "A_TOKEN=§ exec x"]},
    "argument shell flag": {"command": "sh", "args": ["-c", "x --password '§'"]},
    "argument json of docker": {
        "command": "docker",
        "args": ["run", "--env", '{"API_KEY":"§"}', "i"],
    },
    "argument json in quotes": {"command": "x", "args": ['"{\\"apiKey\\":\\"§\\"}"']},
    "argument json5": {"command": "x", "args": ["--config", "{'token': '§'}"]},
    "argument json cut off": {"command": "x", "args": ['{"env": {"TOKEN": "§"']},
    "argument header list": {
        "command": "x",
        "args": ['[{"name": "Authorization", "value": "§"}]'],
    },
    "argument yaml": {"command": "x", "args": ["token: §"]},
    "argument colon": {"command": "x", "args": ["x", "--api-token:§"]},
    "argument name before": {"command": "x", "args": ["Authorization:", "§"]},
    "argument oracle": {"command": "x", "args": ["u/§@//h:1521/s"]},
    "argument sshpass": {"command": "npx", "args": ["sshpass", "-p", "§", "ssh", "h"]},
    "argument sshpass joined": {"command": "sshpass", "args": ["-p§", "ssh", "h"]},
    "argument docker login": {"command": "docker", "args": ["login", "-p", "§"]},
    "url without a scheme": {"url": "h.example/mcp?token=§"},
    "url of a network path": {"url": "//h.example/mcp?token=§"},
    "url without slashes": {"url": "http:h.example?token=§"},
    "url with one slash": {"url": "https:/h.example/?api_key=§"},
    "url escaped": {"url": "https://h.example/mcp?%74oken=§"},
    "url userinfo without a scheme": {"url": "u:§@h.example/mcp"},
    "command itself": {"command": "x --token §"},
    "command array": {"command": ["x", "--secret", "§"]},
    "headers helper": {"url": "https://h/x", "headersHelper": "/bin/h --token §"},
    "oauth": {"url": "https://h/x", "oauth": {"clientSecret": "§"}},
    "auth": {"url": "https://h/x", "auth": {"CLIENT_SECRET": "§"}},
    "field unknown": {"command": "x", "apiKey": "§"},
    "field unknown deep": {"command": "x", "options": {"password": "§"}},
    "server env file": {"command": "x", "envFile": "${A:-ghp_§}"},
    "bearer": {"url": "https://h/x", "bearer_token_env_var": "ghp_§"},
}


def text_of(synced: Sync) -> str:
    return repr(synced) + msgspec.json.encode(synced).decode()


def pieces(secret: str) -> set[str]:
    return {secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)}


def test_no_secret_of_the_fixtures_is_in_what_was_seen(synced: Sync, ana: Path) -> None:
    secrets = set(ENCODED)
    for file in ana.rglob("*"):
        if file.is_file():
            secrets |= set(CANARY.findall(file.read_text()))
    assert len(secrets) > 45, "the fixtures have moved"
    seen = text_of(synced)
    assert [s for s in sorted(secrets) if any(p in seen for p in pieces(s))] == []


@pytest.mark.parametrize("position", POSITIONS)
@settings(max_examples=20)
@given(secret=SECRETS)
def test_a_secret_in_any_position_is_found_and_never_shown(
    position: str, secret: str
) -> None:
    # In a path nothing but its randomness tells a secret from a name.
    assume(position != "url path" or looks_random(secret))
    entry = json.dumps(POSITIONS[position], ensure_ascii=False)
    data = '{"mcpServers": {"a": ' + entry.replace("§", secret) + "}}"
    config = ClientConfigFile("cursor", ".cursor/mcp.json")
    document = parse_document(data.encode(), DocumentFormat.JSON, "f")
    file = ConfigDocument(config, "mcp", document, WrittenBy.SELF_REPORTED)
    seen: list[str] = []
    frame = SightingContext(
        "home:x", "home:x", WrittenBy.SELF_REPORTED, 1, lambda v: _record(seen, v)
    )
    sighted = build_client_facts("cursor", ("x",), [file], frame, lambda _p, _n: None)
    shown = repr(sighted) + msgspec.json.encode(sighted).decode()
    assert not any(piece in shown for piece in pieces(secret))
    if position not in ("url query of no name", "server env file", "bearer"):
        assert any(secret in value for value in seen), "it was not found at all"


def _record(seen: list[str], value: str) -> str:
    seen.append(value)
    return f"{len(seen):024x}"


def test_a_hint_is_four_characters_of_a_long_value_and_none_of_a_short_one(
    tmp_path: Path, context: SyncContext
) -> None:
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text(
        '{"mcpServers": {"a": {"command": "a", "env": '
        '{"LONG_TOKEN": "abcdefgh1234", "SHORT_TOKEN": "abcdefgh123"}}}}'
    )
    hints = {c.name: c.hint for c in sync(str(tmp_path), context).facts.credentials}
    assert hints == {"LONG_TOKEN": "1234", "SHORT_TOKEN": ""}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (DocumentFormat.JSON, '{"a": "CNRYsecretsecret" "b"}'),
        (DocumentFormat.JSON, '{"CNRYsecretsecret": CNRYsecretsecret}'),
        (DocumentFormat.TOML, 'a = "CNRYsecretsecret'),
        (DocumentFormat.TOML, "CNRYsecretsecret = 1\nCNRYsecretsecret = 2\n"),
        (DocumentFormat.TOML, 'a = CNRYsecretsecret"'),
        (DocumentFormat.TOML, "[CNRYsecretsecret]\n[CNRYsecretsecret]\n"),
        (DocumentFormat.YAML, "a: 'CNRYsecretsecret"),
        (DocumentFormat.YAML, "a: b\n CNRYsecretsecret: [c"),
        (DocumentFormat.YAML, "a: *CNRYsecretsecret\nb: ["),
        (DocumentFormat.FRONT_MATTER, "---\na: CNRYsecretsecret\n"),
        (DocumentFormat.FRONT_MATTER, "---\n - CNRYsecretsecret: [\n---\n"),
    ],
)
def test_a_parse_error_with_its_whole_traceback_shows_no_value(
    form: DocumentFormat, text: str
) -> None:
    with pytest.raises(ParseError) as caught:
        parse_document(text.encode(), form, "f")
    shown = "".join(
        (
            *traceback.format_exception(caught.value),
            repr(vars(caught.value)),
            repr(caught.value.__context__),
        )
    )
    assert not any(piece in shown for piece in pieces("CNRYsecretsecret"))


def test_names_that_could_harm_a_screen_are_made_plain(
    tmp_path: Path, context: SyncContext
) -> None:
    (tmp_path / ".cursor").mkdir()
    name = "evil\x1b[2J\u202e\n"
    (tmp_path / ".cursor" / "mcp.json").write_text(
        json.dumps({"mcpServers": {name: {"command": "a\x07b"}, " ": {"url": "u"}}})
    )
    facts = sync(str(tmp_path), context).facts
    for tool in facts.tools:
        assert (tool.server + tool.target + tool.seen.place).isprintable()
    servers = [tool for tool in facts.tools if tool.transport not in BUILT_IN]
    assert {tool.server for tool in servers} == {
        "evil\ufffd[2J\ufffd\ufffd",
        "?",
    }
