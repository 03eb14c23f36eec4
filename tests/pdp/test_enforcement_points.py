"""Whoever asks is authenticated and named in the file, or hears nothing."""

import time
from pathlib import Path
from typing import Any

import pytest

from answerable.server.connection_info import UnixPeer
from tests.federation.sample_tokens import AUD
from tests.gateway.serve.running_gateway import token_of
from tests.pdp.decision_point_harness import (
    ALLOWED,
    ASKED,
    EVALUATION,
    OF_RESOURCES,
    POINT,
    POSTED,
    RESOURCES,
    DecisionPointHarness,
    deciding,
    settings,
)


def peer(uid: int) -> UnixPeer:
    return UnixPeer(pid=1, uid=uid, gid=uid, unit="", start=1)


@pytest.mark.parametrize("path", POSTED)
def test_whoever_shows_nothing_is_told_what_to_show(
    point: DecisionPointHarness, path: str
) -> None:
    told = point.ask(path, ASKED[path], who="")
    assert told.status == 401
    assert told.fields["www-authenticate"].startswith("Bearer resource_metadata=")
    place = told.fields["www-authenticate"].split('"')[1]
    page = point.ask(place.removeprefix("https://pdp.example"), method="GET", who="")
    assert page.said["resource"].endswith(path)


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    "token",
    [
        "Bearer x",
        "Basic cGVwOnBlcA==",
        "",
        f"Bearer {token_of('pep', exp=int(time.time()) - 3600)}",
        f"Bearer {token_of('pep', aud='https://another.example')}",
        f"Bearer {token_of('pep')[:-3]}AAA",
    ],
)
def test_a_token_that_does_not_hold_is_refused(
    point: DecisionPointHarness, path: str, token: str
) -> None:
    told = point.ask(path, ASKED[path], authorization=token)
    assert told.status == 401
    assert "www-authenticate" in told.fields


@pytest.mark.parametrize("path", POSTED)
def test_whoever_the_file_does_not_name_may_not_ask(
    point: DecisionPointHarness, path: str
) -> None:
    """An agent's own token asks nothing, however much the agent may do."""
    told = point.ask(path, ASKED[path], who="ana")
    assert told.status == 403


def test_the_kernel_names_who_asks_at_a_unix_socket(
    point: DecisionPointHarness,
) -> None:
    def status(uid: int) -> int:
        return point.ask(EVALUATION, ALLOWED, who="", peer=peer(uid)).status

    assert status(4711) == 200
    assert status(4712) == 403


def test_one_that_may_ask_about_some_servers_hears_no_about_others(
    tmp_path: Path,
) -> None:
    said = settings()
    said["servers"]["other"] = said["servers"]["files"]
    said["agents"]["ana"]["allow"].append({"server": "other", "tools": ["read"]})
    there = {"type": "tool", "id": "tool:mcp/other/read"}
    with deciding(tmp_path, said) as point:
        asked = ALLOWED | {"resource": there}
        assert point.ask(EVALUATION, asked).decision
        assert not point.ask(EVALUATION, asked, who="narrow").decision
        assert point.ask(EVALUATION, ALLOWED, who="narrow").decision
        found = point.ask(RESOURCES, OF_RESOURCES, who="narrow").said["results"]
        assert {each["id"].split("/")[1] for each in found} == {"files"}


def test_where_there_is_one_server_to_ask_about_it_need_not_be_named(
    point: DecisionPointHarness,
) -> None:
    asked = ALLOWED | {"resource": {"type": "tool", "id": "read"}}
    assert point.ask(EVALUATION, asked, who="narrow").decision
    assert not point.ask(EVALUATION, asked).decision


def test_tokens_of_those_who_ask_may_need_an_audience_of_their_own(
    tmp_path: Path,
) -> None:
    audience = "https://pdp.example"
    with deciding(
        tmp_path, settings(decisions=POINT | {"audience": audience})
    ) as point:
        assert point.ask(EVALUATION, ALLOWED).status == 401
        token = f"Bearer {token_of('pep', aud=audience)}"
        assert point.ask(EVALUATION, ALLOWED, authorization=token).decision
        subject: Any = {
            "type": "identity",
            "id": "ana",
            "properties": {"token": token_of("ana")},
        }
        asked = ALLOWED | {"subject": subject}
        assert point.ask(EVALUATION, asked, authorization=token).decision


def test_too_many_requests_of_one_at_a_time_are_refused(
    point: DecisionPointHarness,
) -> None:
    http_server = point.house._http_server
    principal = "corp/pep"
    http_server.in_flight[principal] = http_server.limits.calls_per_caller
    try:
        assert point.ask(EVALUATION, ALLOWED).status == 429
        assert point.ask(EVALUATION, ALLOWED, who="narrow").status == 200
    finally:
        del http_server.in_flight[principal]


def test_the_default_mappings_of_coaz_need_no_server_where_there_is_one(
    point: DecisionPointHarness,
) -> None:
    """Subject `$token.sub`, agent in the context, a server by the token's audience."""
    whole = {"type": "mcp_server", "id": AUD}
    context = {"agent": "https://agents.example/app"}
    mapped = [
        ("tools/call", {"type": "tool", "id": "read"}, True),
        ("tools/call", {"type": "tool", "id": "write"}, False),
        ("tools/list", whole, True),
        ("initialize", whole, True),
        ("prompts/get", {"type": "prompt", "id": "p"}, False),
        ("resources/read", {"type": "resource", "id": "file:///a"}, False),
        ("unknown/method", whole, False),
    ]
    for name, resource, decision in mapped:
        said = {"action": {"name": name}, "resource": resource, "context": context}
        told = point.ask(EVALUATION, ALLOWED | said, who="narrow")
        assert told.decision is decision, name
        if resource is whole:
            assert not point.ask(EVALUATION, ALLOWED | said).decision
