"""Tools that answer at once, or after telling of themselves on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError

from tests.mcp.server.replies import WAV, done, embedded, image, text

Context = ServerRequestContext[Any, Any]
Params = types.CallToolRequestParams
Answer = types.CallToolResult | types.InputRequiredResult
Run = Callable[[Context, Params], Awaitable[Answer]]

PAUSE_SECONDS = 0.05
# Names of slow calls, drawn anew by whoever calls.
_GIVEN_UP: set[str] = set()


async def simple_text(ctx: Context, params: Params) -> Answer:
    return done(text("This is a simple text response for testing."))


async def image_content(ctx: Context, params: Params) -> Answer:
    return done(image())


async def audio_content(ctx: Context, params: Params) -> Answer:
    return done(types.AudioContent(type="audio", data=WAV, mime_type="audio/wav"))


async def embedded_resource(ctx: Context, params: Params) -> Answer:
    words = "This is an embedded resource content."
    return done(embedded("test://embedded-resource", "text/plain", words))


async def multiple_content_types(ctx: Context, params: Params) -> Answer:
    uri, words = "test://mixed-content-resource", '{"test":"data","value":123}'
    return done(
        text("Multiple content types test:"),
        image(),
        embedded(uri, "application/json", words),
    )


async def error_handling(ctx: Context, params: Params) -> Answer:
    words = "This tool intentionally returns an error for testing"
    return types.CallToolResult(content=[text(words)], is_error=True)


async def echo(ctx: Context, params: Params) -> Answer:
    """Return the arguments as they came, as text and as structure."""
    arguments = params.arguments or {}
    return types.CallToolResult(
        content=[text(str(arguments.get("message", "")))],
        structured_content=dict(arguments),
    )


async def greet(ctx: Context, params: Params) -> Answer:
    return done(text(f"Hello, {(params.arguments or {}).get('name')}!"))


async def with_progress(ctx: Context, params: Params) -> Answer:
    for progress in (0, 50, 100):
        await ctx.session.report_progress(progress, 100)
        await asyncio.sleep(PAUSE_SECONDS)
    return done(text("Tool with progress executed successfully"))


async def with_logging(ctx: Context, params: Params) -> Answer:
    for words in ("execution started", "processing data", "execution completed"):
        await ctx.session.send_log_message(
            level="info", data=f"Tool {words}", related_request_id=ctx.request_id
        )
        await asyncio.sleep(PAUSE_SECONDS)
    return done(text("Tool with logging executed successfully"))


async def slow(ctx: Context, params: Params) -> Answer:
    """Answer after so many `seconds`, unless the caller gives up before."""
    arguments = params.arguments or {}
    try:
        await asyncio.sleep(float(arguments["seconds"]))
    except asyncio.CancelledError:
        _GIVEN_UP.add(str(arguments["name"]))
        raise
    return done(text("Finished."))


async def given_up(ctx: Context, params: Params) -> Answer:
    """Say whether the server heard that the slow call of that name was given up."""
    name = str((params.arguments or {})["name"])
    return done(text("yes" if name in _GIVEN_UP else "no"))


async def reconnection(ctx: Context, params: Params) -> Answer:
    """Close the stream in the middle of the call; the rest waits for a resumption."""
    if ctx.close_sse_stream is not None:
        await ctx.close_sse_stream()
    await asyncio.sleep(2 * PAUSE_SECONDS)
    return done(text("Reconnection test completed"))


async def missing_capability(ctx: Context, params: Params) -> Answer:
    declared = ctx.session.client_capabilities
    if declared is None or declared.sampling is None:
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs sampling.",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return done(text("The client can sample."))
