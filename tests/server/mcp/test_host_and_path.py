"""A request goes to a host that is served, from a page that may call, to one server."""

import pytest

from answerable.server.mcp.server_path import server_of
from answerable.server.wire.host_check import Served, check_place
from answerable.server.wire.refusals import Refused, Why
from tests.gateway.request_builders import head

SERVED = Served(
    hosts=frozenset({"gateway.example:8471", "127.0.0.1:8471"}),
    origins=frozenset({"https://console.example"}),
)


def refused(fields: dict[str, str | None]) -> Refused:
    with pytest.raises(Refused) as caught:
        check_place(head(fields), SERVED)
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
    check_place(head(fields), SERVED)


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
    assert (found.why, found.status()) == (Why.MISDIRECTED, 421)


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
    assert (found.why, found.status()) == (Why.ORIGIN, 403)


@pytest.mark.parametrize("name", ["a", "weather", "Weather-2.internal_x", "a" * 64])
def test_a_server_is_one_segment(name: str) -> None:
    assert server_of(f"/mcp/{name}") == name


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
    with pytest.raises(Refused) as caught:
        server_of(target)
    assert (caught.value.why, caught.value.status()) == (Why.UNKNOWN_PATH, 404)
    assert "s3cr3t" not in str(caught.value)
