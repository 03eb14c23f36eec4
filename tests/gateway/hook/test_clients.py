"""What clients write is read in one way, and answered in the form they take."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.hook.client_protocols import (
    HookToolCall,
    HookVerdict,
    format_hook_answer,
    parse_hook_event,
)
from answerable.model.decision import DecisionEffect
from answerable.model.errors import ParseError

ALLOWED = HookVerdict(True, DecisionEffect.ALLOW, "d0" * 16)
DENIED = HookVerdict(False, DecisionEffect.DENY, "d0" * 16)
ASKED = HookVerdict(False, DecisionEffect.ASK, "d0" * 16)
FAILED = HookVerdict(False, DecisionEffect.ERROR, "d0" * 16)
OBSERVED = HookVerdict(True, DecisionEffect.DENY, "d0" * 16)


def claude(tool: str = "Bash", **arguments: Any) -> dict[str, Any]:
    return {
        "session_id": "s",
        "transcript_path": "/t",
        "cwd": "/w",
        "permission_mode": "default",
        "hook_event_name": "PreToolUse",
        "tool_name": tool,
        "tool_input": arguments,
        "tool_use_id": "toolu_1",
    }


def cursor(event: str, **more: Any) -> dict[str, Any]:
    base = {"conversation_id": "c", "generation_id": "g", "workspace_roots": ["/w"]}
    return {**base, "hook_event_name": event, **more}


@pytest.mark.parametrize(
    ("client", "said", "tool", "arguments"),
    [
        ("claude-code", claude(command="ls -l"), "Bash", {"command": "ls -l"}),
        ("claude-code", claude("Edit", file_path="/a"), "Edit", {"file_path": "/a"}),
        ("claude-code", claude("mcp__files__read", p=1), "mcp__files__read", {"p": 1}),
        (
            "cursor",
            cursor("beforeShellExecution", command="ls", cwd="/w"),
            "Shell",
            {"command": "ls", "cwd": "/w"},
        ),
        (
            "cursor",
            cursor("beforeMCPExecution", tool_name="q", tool_input='{"a":1}', url="u"),
            "MCP:q",
            {"input": {"a": 1}, "url": "u"},
        ),
        (
            "cursor",
            cursor("beforeReadFile", file_path="/a", content="secret"),
            "Read",
            {"file_path": "/a"},
        ),
        (
            "cursor",
            cursor("preToolUse", tool_name="Write", tool_input={"b": 2}),
            "Write",
            {"b": 2},
        ),
    ],
)
def test_an_event_is_a_tool_and_its_arguments(
    client: str, said: dict[str, Any], tool: str, arguments: dict[str, Any]
) -> None:
    act = parse_hook_event(client, json.dumps(said).encode())
    assert (act.tool, json.loads(act.arguments)) == (tool, arguments)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["session_id", "cwd", "permission_mode", "model", "why"]),
        st.text(max_size=20),
    ),
    st.text(max_size=40),
)
def test_what_an_agent_says_of_itself_or_of_its_reasons_changes_nothing(
    more: dict[str, str], why: str
) -> None:
    plain = parse_hook_event("claude-code", json.dumps(claude(command="ls")).encode())
    said = claude(command="ls", description=why) | more
    assert parse_hook_event("claude-code", json.dumps(said).encode()) == plain


def test_the_order_of_members_makes_no_other_act() -> None:
    one = parse_hook_event("claude-code", json.dumps(claude("X", a=1, b=2)).encode())
    other = parse_hook_event("claude-code", json.dumps(claude("X", b=2, a=1)).encode())
    assert one == other


@pytest.mark.parametrize("client", ["claude-code", "cursor"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"hook_event_name":"PreToolUse","tool_name":"","tool_input":{}}',
        b'{"hook_event_name":"PreToolUse","tool_name":"a\\u0000","tool_input":{}}',
        b'{"hook_event_name":"PreToolUse","tool_name":"a","tool_input":[]}',
        b'{"hook_event_name":"preToolUse","tool_name":"a","tool_input":"x"}',
        b'{"hook_event_name":"PostToolUse","tool_name":"a","tool_input":{}}',
        b'{"hook_event_name":"afterShellExecution","command":"a"}',
    ],
)
def test_what_is_no_event_is_refused(client: str, data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_hook_event(client, data)


def said(
    client: str, act: HookToolCall, verdict: HookVerdict, *, here: bool = False
) -> Any:
    written = format_hook_answer(client, act, verdict, ask_here=here)
    return json.loads(written) if written else None


BASH = HookToolCall("PreToolUse", "Bash", b"{}")


@pytest.mark.parametrize("verdict", [ALLOWED, OBSERVED])
def test_what_may_go_on_is_left_to_the_clients_own_rules(verdict: HookVerdict) -> None:
    assert said("claude-code", BASH, verdict) is None
    shell = HookToolCall("beforeShellExecution", "Shell", b"{}")
    assert said("cursor", shell, verdict) == {"permission": "allow"}


@pytest.mark.parametrize("verdict", [DENIED, ASKED, FAILED])
def test_what_may_not_is_denied_with_the_id_and_nothing_more(
    verdict: HookVerdict,
) -> None:
    told = said("claude-code", BASH, verdict)["hookSpecificOutput"]
    assert told["permissionDecision"] == "deny"
    assert told["hookEventName"] == "PreToolUse"
    assert verdict.decision in told["permissionDecisionReason"]
    for event in ("beforeShellExecution", "beforeMCPExecution", "beforeReadFile"):
        act = HookToolCall(event, "x", b"{}")
        assert said("cursor", act, verdict)["permission"] == "deny"


def test_whoever_sits_there_is_asked_only_where_that_was_said() -> None:
    told = said("claude-code", BASH, ASKED, here=True)["hookSpecificOutput"]
    assert told["permissionDecision"] == "ask"
    shell = HookToolCall("beforeShellExecution", "Shell", b"{}")
    assert said("cursor", shell, ASKED, here=True)["permission"] == "ask"
    reads = HookToolCall("beforeReadFile", "Read", b"{}")
    assert said("cursor", reads, ASKED, here=True)["permission"] == "deny"
    told = said("claude-code", BASH, DENIED, here=True)["hookSpecificOutput"]
    assert told["permissionDecision"] == "deny"
