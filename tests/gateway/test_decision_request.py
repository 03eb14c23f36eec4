"""What the decision is given: who asks, what for, and what the server will see."""

from dataclasses import replace
from typing import Any

import pytest

from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.in_flight_call import Passage
from answerable.gateway.upstream_credentials.provider import Credential
from answerable.model.caller import Caller, Shown
from answerable.model.decision import Decision, Request, Target
from answerable.model.ids import AgentId
from answerable.server.mcp.call import Call, read_call
from answerable.usecases.authorization.authorize import Authority
from tests.gateway.http.in_memory_worker import Notes
from tests.gateway.http.message_builders import result
from tests.gateway.request_builders import ADD, body, modern, old

ANA = Caller(
    AgentId("agent:declared/ana"), True, "person:ana@example.com", "run-1",
    Shown.DPOP_TOKEN, "own/ana", b"", 0, (AgentId("agent:declared/root"),),
)  # fmt: skip


class Seen(Authority):
    """Allows everything of its server, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def authorize(self, request: Request) -> Decision:
        self.requests.append(request)
        return replace(super().authorize(request), passes=True)

    lists = authorize


class Shows:
    """Shows every server but `plain` a token."""

    def needs(self, server: str) -> bool:
        return server != "plain"

    def identity(self, caller: Caller, server: str) -> str:
        return f"https://sts.example/{caller.agent}" if self.needs(server) else ""


SHOWN = Credential("https://sts.example/agent:declared/ana", "", "", 0, 0, b"")


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def exchange(seen: Seen) -> Exchange:
    loop: Any = None  # nothing here waits for a record
    notes: Any = Notes(loop)
    notes.decided = lambda *_: Notes.decided(notes, *_[:4])
    credentials: Any = Shows()
    return Exchange(seen, notes, {}, credentials)


def begun(exchange: Exchange, call: Call, data: bytes) -> Passage:
    passage = exchange.begin(ANA, call, data, SHOWN)
    assert isinstance(passage, Passage)
    return passage


def test_a_call_is_decided_with_its_arguments_its_chain_and_what_the_server_sees(
    exchange: Exchange, seen: Seen
) -> None:
    begun(exchange, read_call(modern("tools/call", "get_weather"), ADD), ADD)
    (asked,) = seen.requests
    assert bytes(asked.arguments) == b'{"city": "Basel"}'
    assert (asked.chain, asked.person, asked.run) == (ANA.chain, ANA.person, "run-1")
    assert asked.identity == "https://sts.example/agent:declared/ana"


def test_where_the_server_is_shown_nothing_there_is_no_identity(
    exchange: Exchange, seen: Seen
) -> None:
    call = read_call(modern("tools/call", "get_weather"), ADD)
    begun(
        exchange, Call(call.era, call.kind, call.method, 1, "plain", call.target), ADD
    )
    assert [each.identity for each in seen.requests] == [""]


def test_what_is_asked_besides_has_no_arguments_of_the_call(
    exchange: Exchange, seen: Seen
) -> None:
    asked = body("tools/call", {"name": "add", "arguments": {"a": 1}}, meta=None)
    passage = begun(exchange, read_call(old(), asked), asked)
    exchange.hear(passage, b'{"jsonrpc":"2.0","id":7,"method":"roots/list"}')
    listing = body("tools/list", meta=None)
    passage = begun(exchange, read_call(old(), listing), listing)
    exchange.hear(passage, result(tools=[{"name": "add"}, {"name": "rm"}]))
    call, roots, _, *items = seen.requests
    assert bytes(call.arguments) == b'{"a": 1}'
    assert (roots.target, bytes(roots.arguments)) == (Target.ROOTS, b"")
    assert [(each.name, bytes(each.arguments)) for each in items] == [
        ("add", b""),
        ("rm", b""),
    ]
    assert {each.chain for each in seen.requests} == {ANA.chain}
    assert len({each.identity for each in seen.requests}) == 1
