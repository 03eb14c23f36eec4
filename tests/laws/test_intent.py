"""Intent is never an input: whatever is said, the decision is the same, or stricter."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.gateway import call_pipeline
from answerable.gateway.handle_ownership import HandleOwnershipTracker
from answerable.gateway.http import request_handler
from answerable.gateway.stdio.line_reader import LineReader
from answerable.gateway.wire import http_heads
from answerable.model.caller import VerifiedCaller
from answerable.model.ids import AgentId
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.authentication.token_cache import VerifiedTokenCache
from tests.laws.intent import hold
from tests.laws.self_reported import TABLE, Where

PAIRS, SEED = 2000, 20261127
PLANTED = 2000

Patch = Callable[[pytest.MonkeyPatch], None]


def test_two_thousand_pairs_keep_the_law(tmp_path: Path) -> None:
    tally = hold(PAIRS, SEED, tmp_path)
    assert tally.broken == []
    assert tally.went > PAIRS / 3
    unsaid = {
        name
        for row in TABLE
        if row.where not in (Where.SPELLING, Where.RESULT)
        for name in row.names
        if not any(said.startswith(name) for said in tally.said)
    }
    assert unsaid == set()


# Each of these lets something that is said in; the law finds every one.


def _field_names_the_agent(patch: pytest.MonkeyPatch) -> None:
    identify = CallerAuthenticator.authenticate

    def believing(
        self: CallerAuthenticator, head: Any, link: Any, now: float
    ) -> VerifiedCaller:
        caller = identify(self, head, link, now)
        named = head.fields.get("x-agent", "")
        is_one = named.startswith("agent:")
        return replace(caller, agent=AgentId(named)) if is_one else caller

    patch.setattr(CallerAuthenticator, "authenticate", believing)


def _claim_of_others_names_the_agents_above(patch: pytest.MonkeyPatch) -> None:
    made = VerifiedTokenCache._build_caller

    def believing(
        self: VerifiedTokenCache, claims: Any, binding: Any
    ) -> VerifiedCaller:
        above = tuple(AgentId(each.sub) for each in claims.act.actors[1:])
        return replace(made(self, claims, binding), chain=above)

    patch.setattr(VerifiedTokenCache, "_build_caller", believing)


def _cookie_goes_to_the_server(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        http_heads, "FORWARDED_FIELDS", http_heads.FORWARDED_FIELDS | {"cookie"}
    )


def _meta_names_the_tool(patch: pytest.MonkeyPatch) -> None:
    read = request_handler.parse_request

    def believing(opening: Any, body: bytes) -> Any:
        call = read(opening, body)
        return msgspec.structs.replace(call, name="*") if b"reasoning" in body else call

    patch.setattr(request_handler, "parse_request", believing)


def _line_names_the_tool(patch: pytest.MonkeyPatch) -> None:
    read = LineReader.parse_line

    def believing(self: LineReader, line: bytes) -> Any:
        call = read(self, line)
        return (
            msgspec.structs.replace(call, name="*") if b"clientInfo" in line else call
        )

    patch.setattr(LineReader, "parse_line", believing)


def _annotations_open_a_list(patch: pytest.MonkeyPatch) -> None:
    filtered = call_pipeline.filter_list_for_caller

    def believing(data: bytes, method: Any, may: Any, **more: Any) -> bytes:
        if b'"annotations"' in data:
            return data
        return filtered(data, method, may, **more)

    patch.setattr(call_pipeline, "filter_list_for_caller", believing)


def _state_is_everybodys(patch: pytest.MonkeyPatch) -> None:
    decides = HandleOwnershipTracker.deny_foreign_handle

    def believing(self: Any, caller: Any, call: Any, decision: Any) -> Any:
        if call.state and not decision.passes:
            return replace(decision, passes=True)
        return decides(self, caller, call, decision)

    patch.setattr(HandleOwnershipTracker, "deny_foreign_handle", believing)


LEAKS: tuple[Patch, ...] = (
    _field_names_the_agent,
    _claim_of_others_names_the_agents_above,
    _cookie_goes_to_the_server,
    _meta_names_the_tool,
    _line_names_the_tool,
    _annotations_open_a_list,
    _state_is_everybodys,
)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__[1:])
def test_a_planted_leak_is_found(
    leak: Patch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak(monkeypatch)
    assert hold(PLANTED, SEED, tmp_path, to_first=True).broken
