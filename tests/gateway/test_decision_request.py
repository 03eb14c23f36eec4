"""What the decision is given: who asks, what for, and what the server will see."""

from dataclasses import replace
from typing import Any

import pytest

from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.in_flight_call import InFlightCall
from answerable.gateway.upstream_credentials.provider import PresentedCredential
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.decision import AuthorizationRequest, Decision, TargetKind
from answerable.model.ids import AgentId
from answerable.server.mcp.call import McpCall, parse_http_call
from answerable.usecases.authorization.authorize import Authorizer
from tests.gateway.http.in_memory_worker import Notes
from tests.gateway.http.message_builders import result
from tests.gateway.request_builders import ADD, body, modern, old

ANA = VerifiedCaller(
    AgentId("agent:declared/ana"),
    True,
    "person:ana@example.com",
    "run-1",
    AuthenticationMethod.DPOP_TOKEN,
    "own/ana",
    b"",
    0,
    (AgentId("agent:declared/root"),),
)


class Seen(Authorizer):
    """Allows everything of its server, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[AuthorizationRequest] = []

    def authorize(self, request: AuthorizationRequest) -> Decision:
        self.requests.append(request)
        return replace(super().authorize(request), passes=True)

    decide_listing = authorize


class Shows:
    """Shows every server but `plain` a token."""

    def needs_credential(self, server: str) -> bool:
        return server != "plain"

    def upstream_principal(self, caller: VerifiedCaller, server: str) -> str:
        return (
            f"https://sts.example/{caller.agent}"
            if self.needs_credential(server)
            else ""
        )


SHOWN = PresentedCredential("https://sts.example/agent:declared/ana", "", "", 0, 0, b"")


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def exchange(seen: Seen) -> CallPipeline:
    loop: Any = None  # nothing here waits for a record
    notes: Any = Notes(loop)
    notes.record_decision = lambda *given, **_: Notes.record_decision(notes, *given[:4])
    credentials: Any = Shows()
    return CallPipeline(seen, notes, {}, credentials)


def begun(exchange: CallPipeline, call: McpCall, data: bytes) -> InFlightCall:
    passage = exchange.authorize(ANA, call, data, SHOWN)
    assert isinstance(passage, InFlightCall)
    return passage


def test_a_call_is_decided_with_its_arguments_its_chain_and_what_the_server_sees(
    exchange: CallPipeline, seen: Seen
) -> None:
    begun(exchange, parse_http_call(modern("tools/call", "get_weather"), ADD), ADD)
    (asked,) = seen.requests
    assert bytes(asked.arguments) == b'{"city": "Basel"}'
    assert (asked.chain, asked.person, asked.run) == (ANA.chain, ANA.person, "run-1")
    assert asked.identity == "https://sts.example/agent:declared/ana"


def test_where_the_server_is_shown_nothing_there_is_no_identity(
    exchange: CallPipeline, seen: Seen
) -> None:
    call = parse_http_call(modern("tools/call", "get_weather"), ADD)
    begun(
        exchange,
        McpCall(call.era, call.kind, call.method, 1, "plain", call.target),
        ADD,
    )
    assert [each.identity for each in seen.requests] == [""]


def test_what_is_asked_besides_has_no_arguments_of_the_call(
    exchange: CallPipeline, seen: Seen
) -> None:
    asked = body("tools/call", {"name": "add", "arguments": {"a": 1}}, meta=None)
    passage = begun(exchange, parse_http_call(old(), asked), asked)
    exchange.process_message(passage, b'{"jsonrpc":"2.0","id":7,"method":"roots/list"}')
    listing = body("tools/list", meta=None)
    passage = begun(exchange, parse_http_call(old(), listing), listing)
    exchange.process_message(passage, result(tools=[{"name": "add"}, {"name": "rm"}]))
    call, roots, _, *items = seen.requests
    assert bytes(call.arguments) == b'{"a": 1}'
    assert (roots.target, bytes(roots.arguments)) == (TargetKind.ROOTS, b"")
    assert [(each.name, bytes(each.arguments)) for each in items] == [
        ("add", b""),
        ("rm", b""),
    ]
    assert {each.chain for each in seen.requests} == {ANA.chain}
    assert len({each.identity for each in seen.requests}) == 1
