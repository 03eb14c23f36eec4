"""A request goes to a host that is served, from a page that may call, to one server."""

import pytest

from answerable.server.mcp.server_target_path import parse_server_name
from answerable.server.wire.host_check import ServedNames, check_host_and_origin
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from tests.gateway.request_builders import head

SERVED = ServedNames(
    hosts=frozenset({"gateway.example:8471", "127.0.0.1:8471"}),
    origins=frozenset({"https://console.example"}),
)


def refused(fields: dict[str, str | None]) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        check_host_and_origin(head(fields), SERVED)
    return caught.value


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Host": "127.0.0.1:8471"},
        {"Host": "Gateway.Example:8471"},
        {"Origin": "https://console.example"},
        {"Origin": "HTTPS://console.example"},
    ],
)
def test_a_host_and_an_origin_that_are_listed_are_served(
    fields: dict[str, str | None],
) -> None:
    check_host_and_origin(head(fields), SERVED)


# MCP basic/transports "Security & Endpoint" 1 (DNS rebinding); RFC 9110 15.5.20.
@pytest.mark.parametrize(
    "host",
    [
        "rebound.example:8471",
        "gateway.example",
        "gateway.example:8472",
        "gateway.example.evil.example:8471",
        "xgateway.example:8471",
        "gateway.example.:8471",
        "127.0.0.2:8471",
        "[::1]:8471",
        "localhost:8471",
    ],
)
def test_another_host_is_misdirected(host: str) -> None:
    found = refused({"Host": host})
    assert (found.why, found.http_status()) == (RefusalReason.MISDIRECTED, 421)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://console.example",
        "https://console.example:444",
        "https://console.example.evil.example",
        "https://console.example/",
        "https://console.example https://console.example",
        "http://127.0.0.1:8471",
    ],
)
def test_a_page_from_elsewhere_may_not_call(origin: str) -> None:
    found = refused({"Origin": origin})
    assert (found.why, found.http_status()) == (RefusalReason.ORIGIN, 403)


@pytest.mark.parametrize("name", ["a", "weather", "Weather-2.internal_x", "a" * 64])
def test_a_server_is_one_segment(name: str) -> None:
    assert parse_server_name(f"/mcp/{name}") == name


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/mcp",
        "/mcp/",
        "/mcp/a/",
        "/mcp/a/b",
        "/mcp//a",
        "/mcp/.",
        "/mcp/..",
        "/mcp/../a",
        "/mcp/%61",
        "/mcp/a%2fb",
        "/mcp/a;v=1",
        "/mcp/a?access_token=s3cr3t",
        "/mcp/a?",
        "/MCP/a",
        "/mcp/a\n",
        "/mcp/-a",
        "/x/mcp/a",
        "/mcp/" + "a" * 65,
    ],
)
def test_any_other_path_is_unknown(target: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        parse_server_name(target)
    assert (caught.value.why, caught.value.http_status()) == (
        RefusalReason.UNKNOWN_PATH,
        404,
    )
    assert "s3cr3t" not in str(caught.value)
