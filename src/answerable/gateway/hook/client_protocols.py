"""Parse the hook events of coding agents (Claude Code, Cursor), and format responses.

| client | events | answered with |
|---|---|---|
| Claude Code | `PreToolUse` | `hookSpecificOutput.permissionDecision` |
| Cursor | `beforeShellExecution`, `beforeMCPExecution`, `beforeReadFile`, `preToolUse` | `permission` |

All of it is the agent's own text. Its stated reasons are removed before the decision;
the action remains.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from answerable.model.decision import DecisionEffect
from answerable.model.errors import ParseError

MAX_EVENT_BYTES = 16 << 20  # bytes of what a client writes
_MAX_TOOL_NAME = 1024  # letters of a tool's name
# Tools that have an argument for the agent's stated reason.
_TOOLS_WITH_REASON = frozenset({"Bash", "Task", "Agent", "Shell"})
_REASON_ARGUMENT = "description"

_encode = msgspec.json.Encoder(order="sorted").encode

Arguments = dict[str, object]


@dataclass(frozen=True, slots=True)
class HookToolCall:
    """Tool call that an agent is about to make.

    Attributes:
        event: Name of the client's event.
        tool: Name of the tool.
        arguments: JSON object with sorted members: equal calls have equal bytes.
    """

    event: str
    tool: str
    arguments: bytes


@dataclass(frozen=True, slots=True)
class HookVerdict:
    """Decision, as far as an agent may know it.

    Attributes:
        passes: The call may go on.
        effect: Effect of the decision.
        decision: Id of the decision.
    """

    passes: bool
    effect: DecisionEffect
    decision: str

    @property
    def message_to_agent(self) -> str:
        """Return the text that tells the agent why its call was stopped."""
        said = (
            "Requires the owner's approval"
            if self.effect is DecisionEffect.ASK
            else "Denied by policy"
        )
        return f"{said} (decision {self.decision})."


class _HookEvent(msgspec.Struct):
    """Event members that are read; a client sends more."""

    hook_event_name: str = ""
    tool_name: str = ""
    tool_input: object = None
    command: str = ""
    cwd: str = ""
    url: str = ""
    file_path: str = ""


_decode = msgspec.json.Decoder(_HookEvent, strict=True).decode


def parse_hook_event(client: str, data: bytes) -> HookToolCall:
    """Parse the tool call that an agent client (Claude Code, Cursor) sends its hook.

    Args:
        client: `claude-code` or `cursor`.
        data: The complete input.

    Raises:
        ParseError: It is no event of that client that a hook decides on.
    """
    if len(data) > MAX_EVENT_BYTES:
        raise ParseError(f"the tool call is larger than {MAX_EVENT_BYTES >> 20} MiB")
    try:
        said = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ParseError("the tool call is not a JSON object") from None
    reader = _EVENTS[client].get(said.hook_event_name)
    if reader is None:
        expected = ", ".join(_EVENTS[client])
        raise ParseError(f"unsupported event (expected {expected})")
    tool, arguments = reader(said)
    if not tool or len(tool) > _MAX_TOOL_NAME or not tool.isprintable():
        raise ParseError("no tool name")
    if tool in _TOOLS_WITH_REASON:
        arguments.pop(_REASON_ARGUMENT, None)
    try:
        return HookToolCall(said.hook_event_name, tool, _encode(arguments))
    except (ValueError, RecursionError):
        raise ParseError("the arguments are not a JSON object") from None


def format_hook_answer(
    client: str, tool_call: HookToolCall, verdict: HookVerdict, *, ask_here: bool
) -> bytes:
    """Format the hook's answer for a client; empty if it expects none.

    Args:
        client: Name of the client.
        tool_call: The tool call.
        verdict: The decision.
        ask_here: On `ask`, the client asks the person at its terminal.
    """
    asks = ask_here and not verdict.passes and verdict.effect is DecisionEffect.ASK
    if client == "cursor":
        # Only before a command and an MCP call does it ask its person.
        asks = asks and tool_call.event in (
            "beforeShellExecution",
            "beforeMCPExecution",
        )
        return _format_cursor_answer(tool_call, verdict, "ask" if asks else "deny")
    if verdict.passes:
        return b""  # its own rules go on; an "allow" would skip its person
    said = {
        "hookEventName": tool_call.event,
        "permissionDecision": "ask" if asks else "deny",
        "permissionDecisionReason": verdict.message_to_agent,
    }
    return _encode({"hookSpecificOutput": said})


def _format_cursor_answer(
    tool_call: HookToolCall, verdict: HookVerdict, denial: str
) -> bytes:
    """Format the allow or deny of a tool call as Cursor's hook expects it."""
    if verdict.passes:
        return _encode({"permission": "allow"})
    said = {"permission": denial}
    if tool_call.event != "beforeReadFile":
        said |= {
            "user_message": verdict.message_to_agent,
            "agent_message": verdict.message_to_agent,
        }
    return _encode(said)


def _parse_tool_event(event: _HookEvent) -> tuple[str, Arguments]:
    """Return tool name and arguments of an event about any tool."""
    return event.tool_name, _parse_json_object(event.tool_input)


def _parse_shell_event(event: _HookEvent) -> tuple[str, Arguments]:
    """Return tool name and arguments of an event about a shell command."""
    return "Shell", {"command": event.command, "cwd": event.cwd}


def _parse_mcp_event(event: _HookEvent) -> tuple[str, Arguments]:
    """Return tool name and arguments of an MCP call; its server is only an address."""
    where = {"url": event.url, "command": event.command}
    at = {name: value for name, value in where.items() if value}
    return f"MCP:{event.tool_name}", {
        "input": _parse_json_object(event.tool_input),
        **at,
    }


def _parse_file_event(event: _HookEvent) -> tuple[str, Arguments]:
    """Return tool name and arguments of an event about reading a file."""
    return "Read", {"file_path": event.file_path}


_EVENTS: Mapping[str, Mapping[str, Callable[[_HookEvent], tuple[str, Arguments]]]] = {
    "claude-code": {"PreToolUse": _parse_tool_event},
    "cursor": {
        "beforeShellExecution": _parse_shell_event,
        "beforeMCPExecution": _parse_mcp_event,
        "beforeReadFile": _parse_file_event,
        "preToolUse": _parse_tool_event,
    },
}


def _parse_json_object(value: object) -> Arguments:
    """Return a JSON object; one client sends it as JSON text."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (ValueError, RecursionError):
            raise ParseError("the arguments are not a JSON object") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError("the arguments are not a JSON object")
    return dict(value)
