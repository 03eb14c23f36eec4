"""The client of the MCP Python SDK, over either transport."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import mcp_types as types
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.mcp.clients.journey import GIVE_UP_SECONDS, MODES, accepted


@dataclass(frozen=True)
class PythonSdk:
    """The steps of the journey with a client that is connected."""

    client: Client

    @property
    def version(self) -> str:
        return self.client.protocol_version

    async def tools(self) -> set[str]:
        return {tool.name for tool in (await self.client.list_tools()).tools}

    async def call(self, tool: str, arguments: dict[str, Any]) -> types.CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def resource(self, uri: str) -> str:
        contents = (await self.client.read_resource(uri)).contents[0]
        assert isinstance(contents, types.TextResourceContents)
        return contents.text

    async def templates(self) -> list[str]:
        listed = await self.client.list_resource_templates()
        return [template.uri_template for template in listed.resource_templates]

    async def prompt(self, name: str, arguments: dict[str, str]) -> Any:
        content = (await self.client.get_prompt(name, arguments)).messages[0].content
        assert isinstance(content, types.TextContent)
        return content.text

    async def complete(self, prompt: str, argument: dict[str, str]) -> list[str]:
        ref = types.PromptReference(type="ref/prompt", name=prompt)
        return (await self.client.complete(ref, argument)).completion.values

    async def progress(self, tool: str) -> list[float]:
        heard: list[float] = []

        async def hear(
            progress: float, total: float | None, message: str | None
        ) -> None:
            heard.append(progress)

        await self.client.call_tool(tool, {}, progress_callback=hear)
        return heard

    async def given_up(self, tool: str, arguments: dict[str, Any]) -> bool:
        with anyio.move_on_after(GIVE_UP_SECONDS) as scope:
            await self.client.call_tool(tool, arguments)
        return scope.cancelled_caught

    async def denied(self, tool: str) -> int | None:
        try:
            await self.client.call_tool(tool, {})
        except MCPError as error:
            return error.code
        return None


async def _elicited(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content=accepted(params))


@contextlib.asynccontextmanager
async def over_http(url: str, token: str, era: str) -> AsyncIterator[PythonSdk]:
    """Connect to a URL."""
    fields = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=fields, timeout=60) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=MODES[era],
            elicitation_callback=_elicited,
        ) as client,
    ):
        yield PythonSdk(client)


@contextlib.asynccontextmanager
async def over_stdio(argv: list[str], era: str) -> AsyncIterator[PythonSdk]:
    """Start a server and speak to it over its standard streams."""
    parameters = StdioServerParameters(command=argv[0], args=argv[1:])
    async with Client(
        parameters, mode=MODES[era], elicitation_callback=_elicited
    ) as client:
        yield PythonSdk(client)
