"""What the tools of the tasks extension do, once they run."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import mcp_types as types

from tests.mcp.server import inputs
from tests.mcp.server.contents import Context, Params, Run
from tests.mcp.server.replies import done, elicit, text

CONFIRM = {"confirm": {"type": "boolean"}}


class Asking(Protocol):
    """A task as its work sees it."""

    async def ask(self, asked: Mapping[str, types.ElicitRequest]) -> None: ...


Result = Coroutine[Any, Any, types.CallToolResult]
Work = Callable[[Asking, Context, Params], Result]


class BrokenError(Exception):
    """The work has no result at all."""


async def _slow_compute(
    task: Asking, ctx: Context, params: Params
) -> types.CallToolResult:
    await asyncio.sleep(float((params.arguments or {}).get("seconds", 0)))
    return done(text("Computed."))


async def _failing_job(
    task: Asking, ctx: Context, params: Params
) -> types.CallToolResult:
    await asyncio.sleep(1)
    return types.CallToolResult(content=[text("The job failed.")], is_error=True)


async def _protocol_error_job(
    task: Asking, ctx: Context, params: Params
) -> types.CallToolResult:
    raise BrokenError("this job breaks on purpose")


async def _confirm_delete(
    task: Asking, ctx: Context, params: Params
) -> types.CallToolResult:
    await task.ask({"confirm": elicit("Delete the file?", CONFIRM)})
    return done(text("Deleted."))


async def _multi_input(
    task: Asking, ctx: Context, params: Params
) -> types.CallToolResult:
    asked = {"first": elicit("First?", CONFIRM), "second": elicit("Second?", CONFIRM)}
    await task.ask(asked)
    return done(text("Both are known."))


async def _greeted(task: Asking, ctx: Context, params: Params) -> types.CallToolResult:
    answer = await inputs.elicitation(ctx, params)
    if isinstance(answer, types.InputRequiredResult):
        raise BrokenError("the name is missing")
    return answer


WORKS: dict[str, Work] = {
    "slow_compute": _slow_compute,
    "failing_job": _failing_job,
    "protocol_error_job": _protocol_error_job,
    "confirm_delete": _confirm_delete,
    "multi_input": _multi_input,
    "test_tool_with_task": _greeted,
}
# Without the extension these answer at once; the others cannot.
EITHER_WAY = frozenset({"slow_compute"})
# These first need input, by a result and a retry, and are a task after that.
BY_INPUT: dict[str, Run] = {"test_tool_with_task": inputs.elicitation}


def listed() -> list[types.Tool]:
    """Return every such tool, always in the same order."""
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    return [
        types.Tool(name=name, description="Works as a task", input_schema=schema)
        for name in WORKS
    ]
