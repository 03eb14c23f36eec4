"""Section `servers.NAME.credential`: operator-held credentials of upstream servers."""

import pytest

from answerable.model.upstream_credential import UpstreamCredential
from tests.connectors.config.readings import faults, read

SHOWN = """
servers:
  files:
    url: https://files.example/mcp
    credential: {env: FILES_TOKEN}
"""


def shown(text: str) -> UpstreamCredential | None:
    config = read(text).config
    assert config is not None
    return config.servers[0].credential


def test_a_url_is_shown_a_bearer_token_unless_it_is_said_otherwise() -> None:
    found = shown(SHOWN)
    assert found is not None
    assert (found.header, found.scheme, found.ttl) == ("authorization", "Bearer", 0)
    found = shown(SHOWN.replace("FILES_TOKEN", "FILES_TOKEN, header: X-Api-Key"))
    assert found is not None
    assert (found.header, found.scheme) == ("x-api-key", "")
    found = shown(SHOWN.replace("FILES_TOKEN", "FILES_TOKEN, scheme: null"))
    assert found is not None
    assert (found.header, found.scheme) == ("authorization", "")
    found = shown(SHOWN.replace("env: FILES_TOKEN", "command: [gh, auth, token]"))
    assert found is not None
    assert (found.command, found.ttl) == (("gh", "auth", "token"), 900)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Cookie",
        "TE",
        "Mcp-Session-Id",
        "X-Forwarded-For",
        "Proxy-Authorization",
        "Accept",
        "Expect",
        "traceparent",
        "X Key",
        "X-Key:",
        "x_forwarded_for",
        "-x",
        "a" * 65,
        "Last-Event-ID",
    ],
)
def test_a_field_that_means_something_else_carries_no_credential(name: str) -> None:
    text = SHOWN.replace("FILES_TOKEN", f'FILES_TOKEN, header: "{name}"')
    (fault,) = faults(text)
    assert fault.startswith(
        "5:44 servers.files.credential.header: expected a header for"
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("env: FILES_TOKEN", "env: A, as_env: B", "as_env: cannot be combined"),
        ("env: FILES_TOKEN", "env: A, scheme: B C", "scheme: expected an auth"),
        (
            "    cred",
            "    audience: a\n    cred",
            "credential: expected either audience",
        ),
        ("https://", "http://", "files.credential: the credential is sent only"),
        (
            "env: FILES_TOKEN",
            "command: [x], ttl: 5",
            "ttl: expected 10 to 86400 seconds",
        ),
    ],
)
def test_a_fault_of_what_a_url_is_shown_is_told(old: str, new: str, fault: str) -> None:
    assert any(fault in told for told in faults(SHOWN.replace(old, new)))
