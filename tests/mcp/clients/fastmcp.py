"""The journey with FastMCP's client: `python -m tests.mcp.clients.fastmcp ERA TO...`.

TO is a URL, with the token on standard input, or the command of a server. Prints what
was seen as one line of JSON. A process of its own, since FastMCP is no part of the
development environment.
"""

import asyncio
import json
import sys
from typing import Any

import mcp_types as types
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from mcp.shared.exceptions import MCPError

from tests.mcp.clients.journey import ANSWER, ASKS, PERSON

MODES = {"2026-07-28": "2026-07-28", "2025-11-25": "legacy"}
GIVE_UP_SECONDS = 0.3


async def _elicited(
    message: str, response_type: Any, params: types.ElicitRequestParams, context: Any
) -> dict[str, str]:
    assert isinstance(params, types.ElicitRequestFormParams)
    return {name: ANSWER[name] for name in params.requested_schema["properties"]}


async def journey(client: Client[Any], era: str) -> dict[str, Any]:
    """Do everything once, in order; return what was seen."""
    tools = {tool.name for tool in await client.list_tools()}
    failed = await client.call_tool("test_error_handling", raise_on_error=False)
    contents = (await client.read_resource("test://static-text"))[0]
    assert isinstance(contents, types.TextResourceContents)
    templates = await client.list_resource_templates()
    prompt = await client.get_prompt(
        "test_prompt_with_arguments", {"arg1": "hello", "arg2": "world"}
    )
    completion = await client.complete(
        types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments"),
        {"name": "arg1", "value": "par"},
    )
    tool, arguments = ASKS[era]
    return {
        "era": client.protocol_version,
        "lists withheld": "withheld" in tools,
        "lists echo": "echo" in tools,
        "call": await _call(client, "echo", {"message": "grüße"}),
        "error": [failed.is_error, _text(failed.content[0])],
        "resource": contents.text,
        "templates": [template.uri_template for template in templates],
        "prompt": _text(prompt.messages[0].content),
        "completion": completion.values,
        "progress": await _progress(client),
        "elicitation": PERSON in await _call(client, tool, arguments),
        "cancelled": await _cancelled(client),
        "after": await _call(client, "echo", {"message": "still here"}),
        "denied": await _denied(client),
    }


def _text(content: Any) -> str:
    assert isinstance(content, types.TextContent)
    return content.text


async def _call(client: Client[Any], name: str, arguments: dict[str, Any]) -> str:
    return _text((await client.call_tool(name, arguments)).content[0])


async def _progress(client: Client[Any]) -> list[float]:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    await client.call_tool("test_tool_with_progress", progress_handler=hear)
    return heard


async def _cancelled(client: Client[Any]) -> bool:
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await client.call_tool("slow", {"seconds": 20})
    except TimeoutError:
        return True
    return False


async def _denied(client: Client[Any]) -> int | None:
    try:
        await client.call_tool("withheld")
    except MCPError as error:
        return error.code
    return None


async def _main(era: str, to: list[str]) -> dict[str, Any]:
    transport: StreamableHttpTransport | StdioTransport
    if to[0].startswith("http"):
        token = sys.stdin.readline().strip()
        transport = StreamableHttpTransport(to[0], auth=token or None)
    else:
        transport = StdioTransport(to[0], to[1:])
    async with Client(
        transport, mode=MODES[era], elicitation_handler=_elicited, timeout=30
    ) as client:
        return await journey(client, era)


if __name__ == "__main__":
    seen = asyncio.run(_main(sys.argv[1], sys.argv[2:]))
    sys.stdout.write(json.dumps(seen) + "\n")
