"""The journey with FastMCP's client: `python -m tests.mcp.clients.fastmcp ERA TO...`.

TO is a URL, with the token on standard input, or the command of a server. Prints what
was seen as one line of JSON. A process of its own, since FastMCP is no part of the
development environment.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from mcp.shared.exceptions import MCPError

from tests.mcp.clients.journey import GIVE_UP_SECONDS, MODES, accepted, journey


@dataclass(frozen=True)
class FastMcp:
    """The steps of the journey with a client that is connected."""

    client: Client[Any]

    @property
    def version(self) -> str | None:
        return self.client.protocol_version

    async def tools(self) -> set[str]:
        return {tool.name for tool in await self.client.list_tools()}

    async def call(self, tool: str, arguments: dict[str, Any]) -> types.CallToolResult:
        return await self.client.call_tool_mcp(tool, arguments)

    async def resource(self, uri: str) -> str:
        (contents,) = await self.client.read_resource(uri)
        assert isinstance(contents, types.TextResourceContents)
        return contents.text

    async def templates(self) -> list[str]:
        listed = await self.client.list_resource_templates()
        return [template.uri_template for template in listed]

    async def prompt(self, name: str, arguments: dict[str, str]) -> Any:
        content = (await self.client.get_prompt(name, arguments)).messages[0].content
        assert isinstance(content, types.TextContent)
        return content.text

    async def complete(self, prompt: str, argument: dict[str, str]) -> list[str]:
        ref = types.PromptReference(type="ref/prompt", name=prompt)
        return (await self.client.complete(ref, argument)).values

    async def progress(self, tool: str) -> list[float]:
        heard: list[float] = []

        async def hear(
            progress: float, total: float | None, message: str | None
        ) -> None:
            heard.append(progress)

        await self.client.call_tool(tool, progress_handler=hear)
        return heard

    async def given_up(self, tool: str, arguments: dict[str, Any]) -> bool:
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                await self.client.call_tool(tool, arguments)
        except TimeoutError:
            return True
        return False

    async def denied(self, tool: str) -> int | None:
        try:
            await self.client.call_tool(tool)
        except MCPError as error:
            return error.code
        return None


async def _elicited(
    message: str, response_type: Any, params: types.ElicitRequestParams, context: Any
) -> dict[str, Any]:
    return accepted(params)


async def _main(era: str, to: list[str]) -> dict[str, Any]:
    transport: StreamableHttpTransport | StdioTransport
    if to[0].startswith("http"):
        token = sys.stdin.readline().strip()
        transport = StreamableHttpTransport(to[0], auth=token or None)
    else:
        transport = StdioTransport(to[0], to[1:])
    async with Client(
        transport, mode=MODES[era], elicitation_handler=_elicited, timeout=60
    ) as client:
        return await journey(FastMcp(client), era)


if __name__ == "__main__":
    seen = asyncio.run(_main(sys.argv[1], sys.argv[2:]))
    sys.stdout.write(json.dumps(seen) + "\n")
