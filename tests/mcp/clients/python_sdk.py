"""The journey with the client of the MCP Python SDK."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import mcp_types as types
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.mcp.clients.journey import ANSWER, ASKS, PERSON

MODES = {"2026-07-28": "2026-07-28", "2025-11-25": "legacy"}
GIVE_UP_SECONDS = 0.3


async def _elicited(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ElicitResult:
    """Fill in the form that was asked for."""
    assert isinstance(params, types.ElicitRequestFormParams)
    wanted = params.requested_schema["properties"]
    return types.ElicitResult(
        action="accept", content={name: ANSWER[name] for name in wanted}
    )


@contextlib.asynccontextmanager
async def over_http(url: str, token: str, era: str) -> AsyncIterator[Client]:
    """Connect to a URL."""
    fields = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=fields, timeout=30) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=MODES[era],
            elicitation_callback=_elicited,
        ) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def over_stdio(argv: list[str], era: str) -> AsyncIterator[Client]:
    """Start a server and speak to it over its standard streams."""
    parameters = StdioServerParameters(command=argv[0], args=argv[1:])
    async with Client(
        parameters, mode=MODES[era], elicitation_callback=_elicited
    ) as client:
        yield client


async def journey(client: Client, era: str) -> dict[str, Any]:
    """Do everything once, in order; return what was seen."""
    tools = {tool.name for tool in (await client.list_tools()).tools}
    templates = (await client.list_resource_templates()).resource_templates
    failed = await client.call_tool("test_error_handling", {})
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
        "call": await _echo(client, "grüße"),
        "error": [failed.is_error, _text(failed.content[0])],
        "resource": await _resource(client, "test://static-text"),
        "templates": [template.uri_template for template in templates],
        "prompt": _text(prompt.messages[0].content),
        "completion": completion.completion.values,
        "progress": await _progress(client),
        "elicitation": PERSON in await _call(client, tool, arguments),
        "cancelled": await _cancelled(client),
        "after": await _echo(client, "still here"),
        "denied": await _denied(client),
    }


def _text(content: Any) -> str:
    assert isinstance(content, types.TextContent)
    return content.text


async def _call(client: Client, name: str, arguments: dict[str, Any]) -> str:
    return _text((await client.call_tool(name, arguments)).content[0])


async def _echo(client: Client, message: str) -> str:
    return await _call(client, "echo", {"message": message})


async def _resource(client: Client, uri: str) -> str:
    contents = (await client.read_resource(uri)).contents[0]
    assert isinstance(contents, types.TextResourceContents)
    return contents.text


async def _progress(client: Client) -> list[float]:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    await client.call_tool("test_tool_with_progress", {}, progress_callback=hear)
    return heard


async def _cancelled(client: Client) -> bool:
    with anyio.move_on_after(GIVE_UP_SECONDS) as scope:
        await client.call_tool("slow", {"seconds": 20})
    return scope.cancelled_caught


async def _denied(client: Client) -> int | None:
    try:
        await client.call_tool("withheld", {})
    except MCPError as error:
        return error.code
    return None
