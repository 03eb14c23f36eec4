"""The test server: every fixture that the conformance suite names, in both eras."""

import warnings
from typing import Any, get_args

import mcp_types as types
from mcp.server import CacheHint, Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types.methods import CacheableMethod

from tests.mcp.server import reading, tools, works
from tests.mcp.server.contents import Answer, Context, Params
from tests.mcp.server.replies import done, text
from tests.mcp.server.tasks import Tasks

NAME = "conformance-fixtures"
CACHED_MILLISECONDS = 1_000
CHANGES: dict[str, ServerEvent] = {
    "test_trigger_tool_change": ToolsListChanged(),
    "test_trigger_prompt_change": PromptsListChanged(),
}


async def _list_tools(
    ctx: Context, params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    changing = [
        types.Tool(
            name=name,
            description="Says that a list changed",
            input_schema=tools.NO_ARGUMENTS,
        )
        for name in CHANGES
    ]
    return types.ListToolsResult(tools=tools.listed() + works.listed() + changing)


async def _nothing(ctx: Context, params: object) -> types.EmptyResult:
    return types.EmptyResult()


def build() -> Server:
    """Return a test server."""
    bus = InMemorySubscriptionBus()
    tasks = Tasks()

    async def call_tool(ctx: Context, params: Params) -> Answer | dict[str, Any]:
        event = CHANGES.get(params.name)
        if params.name in works.WORKS:
            return await tasks.call(ctx, params)
        if event is None:
            return await tools.call(ctx, params)
        await bus.publish(event)
        return done(text("Changed."))

    hints: dict[CacheableMethod, CacheHint] = {
        method: CacheHint(CACHED_MILLISECONDS, "public")
        for method in get_args(CacheableMethod)
    }
    with warnings.catch_warnings():
        # The session eras have logging/setLevel, and 2026-07-28 has not.
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        server = Server(
            NAME,
            version="1.0.0",
            cache_hints=hints,
            on_list_tools=_list_tools,
            on_list_resources=reading.list_resources,
            on_list_resource_templates=reading.list_templates,
            on_read_resource=reading.read,
            on_subscribe_resource=_nothing,
            on_unsubscribe_resource=_nothing,
            on_subscriptions_listen=ListenHandler(bus),
            on_list_prompts=reading.list_prompts,
            on_get_prompt=reading.get_prompt,
            on_completion=reading.complete,
            on_set_logging_level=_nothing,
        )
    # Not by the constructor, which knows nothing of results that are tasks.
    server.add_request_handler("tools/call", types.CallToolRequestParams, call_tool)
    tasks.serve(server)
    server.middleware.append(
        RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME)
    )
    return server
