"""Redaction of foreign graphs: secrets by their own form, names of secrets untouched."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats.secrets_in_text import HIDDEN
from answerable.connectors.opengraph.parse import ParsedGraphs
from answerable.connectors.opengraph.parse.property_redaction import (
    redact_graph_id,
    redact_graph_property,
    redact_graph_text,
)
from answerable.export.opengraph import build_collector_opengraph
from answerable.model.foreign_graph import join_graphs

_PLACES = [
    each / "shared/data/github/githound" for each in Path(__file__).resolve().parents
]
_FILES = [file for each in _PLACES if each.is_dir() for file in each.glob("*.json")]
# Texts that GitHound writes about secrets and tokens.
NAMES_OF_SECRETS = (
    "MATCH p=(:GH_User {node_id: 'MDQ6VXNlcjI2NTEyMjI='})-[]->(token) WHERE "
    "token:GH_PersonalAccessToken OR token:GH_PersonalAccessTokenRequest RETURN p",
    "MATCH p=(:GH_PersonalAccessToken {node_id: 'GH_PAT_O_kgDOCoV2OQ_945788'}) RETURN p",
    "MATCH p=(s:GH_OrgSecret {node_id:'GH_OrgSecret_O_kgDO_ALL_REPO_SECRET'}) RETURN p",
    "Test 4 - GITHUB_TOKEN Write Permissions",
    "Entra Client Secret from GitHub Repository Secrets",
    "permissions:\n  id-token: write\n  contents: read\n",
    '{\n  "actions": "read",\n  "secrets": "read",\n  "password": "never"\n}',
    "env:\n  PASSWORD: ${{ secrets.PASSWORD }}\n",
)
SECRETS = (
    "qZ8kkL0vP2mW9xT4sR7",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ghp_" + "Q7canary9Zx2" * 3,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "sk-live1234567890abcdef",
)
FORMS = (
    "client_secret: {}",
    "TOKEN={}",
    '{{"token": "{}"}}',
    '{{"token": {{"value": "{}"}}}}',
    'keys: ["first", "{}"]',
    "name: deploy\nenv:\n  API_KEY: {}\n  REGION: eu\n",
    "curl --password {} https://example.com",
    "curl -H 'Authorization: Bearer {}' https://example.com",
    "postgres://app:{}@db.example.com/shop",
)
REDACTIONS = (
    redact_graph_text,
    redact_graph_id,
    lambda text: redact_graph_property("token", text),
    lambda text: redact_graph_property("password", text),
)


@pytest.mark.parametrize("text", NAMES_OF_SECRETS)
def test_the_name_of_a_secret_is_none(text: str) -> None:
    assert redact_graph_text(text) == text
    assert redact_graph_property("query_personal_access_tokens", text) == text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_hidden_in_each_form_of_text(form: str, secret: str) -> None:
    redacted = redact_graph_text(form.format(secret))
    assert secret not in redacted
    assert HIDDEN in redacted


@pytest.mark.parametrize("secret", [*SECRETS, "hunter", "correct horse battery"])
def test_the_value_of_a_password_is_hidden_in_any_form(secret: str) -> None:
    assert redact_graph_property("userpassword", secret) == HIDDEN
    assert secret not in redact_graph_text(f"password: {secret}\nregion: eu")


def test_a_private_key_is_hidden_wherever_it_is() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAK\n-----END RSA PRIVATE KEY-----"
    assert redact_graph_text(f"run: echo '{key}' > k") == f"run: echo '{HIDDEN}' > k"
    cut = redact_graph_text(f"run: {key[:44]}")
    assert cut == f"run: {HIDDEN}"


WORDS = st.sampled_from(
    str.split(
        "token secret password key id node_id name read *** ' \" ` { } [ ] ( ) : = @ , ;"
        " / \\ \\n & % %3A &amp; \\u0022 -----BEGIN -----END PRIVATE KEY----- user:a@b.c"
        " https:// :pw1@h Bearer Basic hunter2 GH_Token " + " ".join(SECRETS)
    )
)


@given(
    st.lists(WORDS | st.just(" ") | st.just("\n"), max_size=14).map("".join),
    st.sampled_from(REDACTIONS),
)
def test_a_second_redaction_changes_nothing(text: str, redact: Any) -> None:
    once = redact(text)
    assert redact(once) == once


def _export(data: bytes) -> list[Any]:
    """Import a file and write its graphs again."""
    parsed = ParsedGraphs()
    parsed.read(data, "graph.json")
    assert parsed.problems == []
    graphs = map(join_graphs, parsed.parts.values())
    encoded = [msgspec.json.encode(build_collector_opengraph(each)) for each in graphs]
    return [json.loads(each) for each in encoded]


@pytest.mark.skipif(not _FILES, reason="the files of GitHound are absent")
def test_a_file_of_githound_comes_back_the_same() -> None:
    for file in _FILES:
        data = file.read_bytes()
        (written,) = _export(data)
        assert written["graph"] == _fill_defaults(json.loads(data)["graph"])


def _fill_defaults(graph: Any) -> Any:
    """Write out the properties that a file leaves out, and `match_by`."""
    nodes = [{**e, "properties": e.get("properties") or {}} for e in graph["nodes"]]
    edges = [
        {
            **each,
            "start": {"match_by": "id", **each["start"]},
            "end": {"match_by": "id", **each["end"]},
            "properties": each.get("properties") or {},
        }
        for each in graph["edges"]
    ]
    return {"nodes": nodes, "edges": edges}
