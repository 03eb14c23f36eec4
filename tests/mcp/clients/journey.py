"""What every foreign client does through the gateway, and what it must see.

A client writes down what it saw under these names. The words are those of the test
server in `tests/mcp/server`; only a denial is the gateway's own.
"""

import secrets
from typing import Any, Protocol

import anyio
import mcp_types as types

ERAS = ("2026-07-28", "2025-11-25")
# What Python clients call the eras.
MODES = {"2026-07-28": "2026-07-28", "2025-11-25": "legacy"}
PERSON = "Ana"
ANSWER = {"name": PERSON, "username": PERSON, "email": "ana@example.com"}
# The tool that asks the person: by a result and a retry, or in the middle of the call.
ASKS: dict[str, tuple[str, dict[str, str]]] = {
    "2026-07-28": ("test_input_required_result_elicitation", {}),
    "2025-11-25": ("test_elicitation", {"message": "Who are you?"}),
}
DENIED = -31403
GIVE_UP_SECONDS = 0.3
TRIES = 15


class Steps(Protocol):
    """What a client of Python can do, each as that client does it."""

    @property
    def version(self) -> str | None:
        """The revision that was agreed on."""

    async def tools(self) -> set[str]:
        """Return the names of the tools on the list."""

    async def call(self, tool: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Call a tool.

        Raises:
            MCPError: If the answer is an error, such as a denial.
        """

    async def resource(self, uri: str) -> str:
        """Return the text of a resource."""

    async def templates(self) -> list[str]:
        """Return the templates of resources."""

    async def prompt(self, name: str, arguments: dict[str, str]) -> Any:
        """Return the first message of a prompt."""

    async def complete(self, prompt: str, argument: dict[str, str]) -> list[str]:
        """Return the completions of an argument."""

    async def progress(self, tool: str) -> list[float]:
        """Call a tool; return the progress that was heard."""

    async def given_up(self, tool: str, arguments: dict[str, Any]) -> bool:
        """Call a tool and give up soon; say whether that came before the answer."""

    async def denied(self, tool: str) -> int | None:
        """Call a tool; return the code of the error, None for a result."""


def accepted(params: types.ElicitRequestParams) -> dict[str, Any]:
    """Fill in a form that was asked for, as the person would."""
    assert isinstance(params, types.ElicitRequestFormParams)
    return {name: ANSWER[name] for name in params.requested_schema["properties"]}


async def journey(steps: Steps, era: str) -> dict[str, Any]:
    """Do everything once, in order; return what was seen."""
    tools = await steps.tools()
    failed = await steps.call("test_error_handling", {})
    hello = {"arg1": "hello", "arg2": "world"}
    par = {"name": "arg1", "value": "par"}
    tool, arguments = ASKS[era]
    return {
        "era": steps.version,
        "lists withheld": "withheld" in tools,
        "lists echo": "echo" in tools,
        "call": _text(await steps.call("echo", {"message": "grüße"})),
        "error": [failed.is_error, _text(failed)],
        "resource": await steps.resource("test://static-text"),
        "templates": await steps.templates(),
        "prompt": await steps.prompt("test_prompt_with_arguments", hello),
        "completion": await steps.complete("test_prompt_with_arguments", par),
        "progress": await steps.progress("test_tool_with_progress"),
        "elicitation": PERSON in _text(await steps.call(tool, arguments)),
        "cancelled": await _cancelled(steps),
        "after": _text(await steps.call("echo", {"message": "still here"})),
        "denied": await steps.denied("withheld"),
    }


async def _cancelled(steps: Steps) -> list[bool]:
    """Give a call up; say whether that came soon, and whether the server heard it."""
    name = secrets.token_hex(8)
    soon = await steps.given_up("slow", {"seconds": 20, "name": name})
    heard = False
    for _ in range(TRIES):
        heard = _text(await steps.call("given_up", {"name": name})) == "yes"
        if heard:
            break
        await anyio.sleep(GIVE_UP_SECONDS)
    return [soon, heard]


def _text(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def seen(era: str, *, denied: bool = True) -> dict[str, Any]:
    """Return what a client must have seen.

    Args:
        era: Revision that it speaks.
        denied: It went through the gateway, which knows `withheld` to be on no list.
    """
    return {
        "era": era,
        "lists withheld": not denied,
        "lists echo": True,
        "call": "grüße",
        "error": [True, "This tool intentionally returns an error for testing"],
        "resource": "This is the content of the static text resource.",
        "templates": ["test://template/{id}/data"],
        "prompt": "Prompt with arguments: arg1='hello', arg2='world'",
        "completion": ["paris", "park", "party"],
        "progress": [0, 50, 100],
        "elicitation": True,
        "cancelled": [True, True],
        "after": "still here",
        "denied": DENIED if denied else None,
    }
