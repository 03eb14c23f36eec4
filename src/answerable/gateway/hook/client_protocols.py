"""Hook protocols of clients: events that they send, and answers that they expect.

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

from answerable.model.decision import Effect
from answerable.model.errors import ParseError

LARGEST = 16 << 20  # bytes of what a client writes
_LONGEST = 1024  # letters of a tool's name
# Tools that have an argument for the agent's stated reason.
_SAYS_WHY = frozenset({"Bash", "Task", "Agent", "Shell"})
_WHY = "description"

_encode = msgspec.json.Encoder(order="sorted").encode

Arguments = dict[str, object]


@dataclass(frozen=True, slots=True)
class Act:
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
class Verdict:
    """Decision, as far as an agent may know it.

    Attributes:
        passes: The call may go on.
        effect: Effect of the decision.
        decision: Id of the decision.
    """

    passes: bool
    effect: Effect
    decision: str

    @property
    def sentence(self) -> str:
        """Message to the agent."""
        said = "Needs its owner" if self.effect is Effect.ASK else "Denied by policy"
        return f"{said} (decision {self.decision})."


class _Said(msgspec.Struct):
    """Event members that are read; a client sends more."""

    hook_event_name: str = ""
    tool_name: str = ""
    tool_input: object = None
    command: str = ""
    cwd: str = ""
    url: str = ""
    file_path: str = ""


_decode = msgspec.json.Decoder(_Said, strict=True).decode


def read(client: str, data: bytes) -> Act:
    """Parse the event of a client.

    Args:
        client: `claude-code` or `cursor`.
        data: The complete input.

    Raises:
        ParseError: It is no event of that client that a hook decides on.
    """
    if len(data) > LARGEST:
        raise ParseError(f"more than {LARGEST >> 20} MiB of a tool call")
    try:
        said = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ParseError("not a JSON object of a tool call") from None
    reader = _EVENTS[client].get(said.hook_event_name)
    if reader is None:
        expected = ", ".join(_EVENTS[client])
        raise ParseError(f"not an event to decide about (expected {expected})")
    tool, arguments = reader(said)
    if not tool or len(tool) > _LONGEST or not tool.isprintable():
        raise ParseError("no tool is named")
    if tool in _SAYS_WHY:
        arguments.pop(_WHY, None)
    try:
        return Act(said.hook_event_name, tool, _encode(arguments))
    except (ValueError, RecursionError):
        raise ParseError("arguments that are no JSON object") from None


def answer(client: str, act: Act, verdict: Verdict, *, ask_here: bool) -> bytes:
    """Format the answer for a client; empty where it expects none.

    Args:
        client: Name of the client.
        act: The tool call.
        verdict: The decision.
        ask_here: On `ask`, the client asks the person at its terminal.
    """
    asks = ask_here and not verdict.passes and verdict.effect is Effect.ASK
    if client == "cursor":
        # Only before a command and an MCP call does it ask its person.
        asks = asks and act.event in ("beforeShellExecution", "beforeMCPExecution")
        return _cursor(act, verdict, "ask" if asks else "deny")
    if verdict.passes:
        return b""  # its own rules go on; an "allow" would skip its person
    said = {
        "hookEventName": act.event,
        "permissionDecision": "ask" if asks else "deny",
        "permissionDecisionReason": verdict.sentence,
    }
    return _encode({"hookSpecificOutput": said})


def _cursor(act: Act, verdict: Verdict, otherwise: str) -> bytes:
    if verdict.passes:
        return _encode({"permission": "allow"})
    said = {"permission": otherwise}
    if act.event != "beforeReadFile":
        said |= {"user_message": verdict.sentence, "agent_message": verdict.sentence}
    return _encode(said)


def _tool(said: _Said) -> tuple[str, Arguments]:
    return said.tool_name, _object(said.tool_input)


def _shell(said: _Said) -> tuple[str, Arguments]:
    return "Shell", {"command": said.command, "cwd": said.cwd}


def _mcp(said: _Said) -> tuple[str, Arguments]:
    """Name the tool; for its server the client gives only an address or a command."""
    where = {"url": said.url, "command": said.command}
    at = {name: value for name, value in where.items() if value}
    return f"MCP:{said.tool_name}", {"input": _object(said.tool_input), **at}


def _file(said: _Said) -> tuple[str, Arguments]:
    return "Read", {"file_path": said.file_path}


_EVENTS: Mapping[str, Mapping[str, Callable[[_Said], tuple[str, Arguments]]]] = {
    "claude-code": {"PreToolUse": _tool},
    "cursor": {
        "beforeShellExecution": _shell,
        "beforeMCPExecution": _mcp,
        "beforeReadFile": _file,
        "preToolUse": _tool,
    },
}


def _object(value: object) -> Arguments:
    """Return an object; one client sends it as JSON text."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (ValueError, RecursionError):
            raise ParseError("arguments that are no JSON object") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError("arguments that are no JSON object")
    return dict(value)
