"""A client that has nothing good is told where to get it, and can read that."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from httpx2 import Response
from mcp.client.auth.utils import extract_resource_metadata_from_www_auth
from mcp.shared.auth import ProtectedResourceMetadata
from mcp.shared.auth_utils import check_resource_allowed

from answerable.server.authentication.challenge import (
    build_resource_metadata,
    build_www_authenticate,
    resource_metadata_url,
)
from answerable.server.connection_info import ConnectionInfo
from tests.server.authentication.token_builders import (
    TARGET,
    TCP,
    URL,
    callers,
    config,
    pinned,
)

PLACE = "https://gw.example/.well-known/oauth-protected-resource/mcp/weather"


def test_the_challenge_names_the_metadata_and_the_schemes() -> None:
    said = build_www_authenticate(resource_metadata_url(URL, TARGET))
    assert said.startswith(f'Bearer resource_metadata="{PLACE}", DPoP algs="ES256 ')
    assert said.count(PLACE) == 2
    assert "error" not in said


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "Bearer", "Basic"])
def test_an_error_stands_with_the_scheme_that_was_used(scheme: str) -> None:
    said = build_www_authenticate("", scheme=scheme, error="invalid_token")
    bearer, dpop = said.split("DPoP algs")
    part = dpop if scheme.lower() == "dpop" else bearer
    assert 'error="invalid_token"' in part
    assert said.count("error") == 1


def test_the_mcp_sdk_finds_the_metadata() -> None:
    said = build_www_authenticate(
        resource_metadata_url(URL, TARGET), scheme="DPoP", error="invalid_token"
    )
    response = Response(401, headers={"WWW-Authenticate": said})
    assert extract_resource_metadata_from_www_auth(response) == PLACE


@pytest.mark.parametrize(
    ("audience", "resource"),
    [
        (URL + "/mcp", URL + "/mcp"),
        (URL + "/mcp/", URL + "/mcp/"),
        (URL, URL),
        (URL + TARGET, URL + TARGET),
        (URL + "/mcp/wea", URL + TARGET),
        ("https://other.example/mcp", URL + TARGET),
        ("api://gateway", URL + TARGET),
    ],
)
def test_the_mcp_sdk_reads_the_metadata(audience: str, resource: str) -> None:
    told = config(replace(pinned("keys"), audience=audience))
    document = build_resource_metadata(URL, TARGET, told, tls=True)
    assert json.loads(document)["resource"] == resource
    read = ProtectedResourceMetadata.model_validate_json(document)
    assert str(read.authorization_servers[0]).startswith("https://issuer.example")
    assert check_resource_allowed(URL + TARGET, str(read.resource))


def test_there_is_metadata_where_there_are_tokens_and_a_url(tmp_path: Path) -> None:
    known = callers(tmp_path)
    assert known.build_resource_metadata(TARGET, TCP) == build_resource_metadata(
        URL, TARGET, config(pinned("keys")), tls=True
    )
    assert known.build_resource_metadata(TARGET, ConnectionInfo()) == b""
    known.reconfigure(config())
    assert known.build_resource_metadata(TARGET, TCP) == b""
