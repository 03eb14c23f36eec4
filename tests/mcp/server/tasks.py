"""The tasks extension (SEP-2663): tools that answer with a task, and its methods.

A client that did not declare the extension gets the result at once, or, from a tool
that is nothing but a task, the error that names what is missing.
"""

import asyncio
import datetime
import secrets
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.mcpserver.server import require_client_extension
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from tests.mcp.server import works
from tests.mcp.server.contents import Answer, Context, Params

EXTENSION = "io.modelcontextprotocol/tasks"
TTL_MILLISECONDS = 600_000
POLL_MILLISECONDS = 100


class OfTask(types.RequestParams):
    """Params of `tasks/get` and `tasks/cancel`."""

    task_id: str


class Update(OfTask):
    """Params of `tasks/update`; an answer to what was not asked is nothing."""

    input_responses: dict[str, Any]


@dataclass
class Task:
    """One task, from its making to the end of the process."""

    status: str = "working"
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    created: str = field(default_factory=lambda: _now())
    updated: str = field(default_factory=lambda: _now())
    ended: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, types.ElicitRequest] = field(default_factory=dict)
    all_answered: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Task[None] | None = None

    def turn(self, status: str, **ended: Any) -> None:
        self.status, self.ended, self.updated = status, ended, _now()

    async def ask(self, asked: Mapping[str, types.ElicitRequest]) -> None:
        """Wait until each question is answered."""
        self.asked = dict(asked)
        self.turn("input_required")
        await self.all_answered.wait()
        self.turn("working")

    def told(self) -> dict[str, Any]:
        """What every answer says of it."""
        return {
            "taskId": self.id,
            "status": self.status,
            "createdAt": self.created,
            "lastUpdatedAt": self.updated,
            "ttlMs": TTL_MILLISECONDS,
            "pollIntervalMs": POLL_MILLISECONDS,
        }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")


class Tasks:
    """Every task of one server."""

    def __init__(self) -> None:
        self._all: dict[str, Task] = {}

    def serve(self, server: Server) -> None:
        """Add the extension's methods to a server, and say that it has them."""
        server.extensions[EXTENSION] = {}
        server.add_request_handler("tasks/get", OfTask, self._get)
        server.add_request_handler("tasks/update", Update, self._update)
        server.add_request_handler("tasks/cancel", OfTask, self._cancel)

    async def call(self, ctx: Context, params: Params) -> Answer | dict[str, Any]:
        """Start the work of a tool; answer with its task, or with the result."""
        work = works.WORKS[params.name]
        if params.name in works.BY_INPUT and params.input_responses is None:
            return await works.BY_INPUT[params.name](ctx, params)
        task = Task()
        if params.name in works.EITHER_WAY and not _declared(ctx):
            return await work(task, ctx, params)
        require_client_extension(ctx, EXTENSION)
        self._all[task.id] = task
        task.work = asyncio.create_task(_run(task, work(task, ctx, params)))
        return {"resultType": "task", **task.told()}

    async def _get(self, ctx: Context, params: OfTask) -> dict[str, Any]:
        task = self._task(ctx, params)
        asked = {key: _wire(request) for key, request in task.asked.items()}
        also = {"inputRequests": asked} if asked else {}
        return {"resultType": "complete", **task.told(), **task.ended, **also}

    async def _update(self, ctx: Context, params: Update) -> dict[str, Any]:
        task = self._task(ctx, params)
        for key in params.input_responses:
            task.asked.pop(key, None)
        if not task.asked:
            task.all_answered.set()
        return {"resultType": "complete"}

    async def _cancel(self, ctx: Context, params: OfTask) -> dict[str, Any]:
        task = self._task(ctx, params)
        if task.work is not None:
            task.work.cancel()
        return {"resultType": "complete"}

    def _task(self, ctx: Context, params: OfTask) -> Task:
        """Find a task for a client that may ask for it.

        Raises:
            MCPError: If the client declared no tasks, if its field Mcp-Name says
                another id than the body, or if there is no such task.
        """
        require_client_extension(ctx, EXTENSION)
        fields = getattr(ctx.request, "headers", {})
        if fields.get("mcp-name", params.task_id) != params.task_id:
            raise MCPError(types.HEADER_MISMATCH, "Mcp-Name is not the task id")
        task = self._all.get(params.task_id)
        if task is None:
            raise MCPError(types.INVALID_PARAMS, "Unknown task")
        return task


def _declared(ctx: Context) -> bool:
    declared = ctx.session.client_capabilities
    return declared is not None and EXTENSION in (declared.extensions or {})


def _wire(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


async def _run(task: Task, work: Coroutine[Any, Any, types.CallToolResult]) -> None:
    """Do the work to its end, whatever that is."""
    try:
        result = await work
    except asyncio.CancelledError:
        task.asked = {}
        task.turn("cancelled")
    except works.BrokenError as error:
        broken = {"code": types.INTERNAL_ERROR, "message": str(error)}
        task.turn("failed", error=broken)
    else:
        task.turn("completed", result=_wire(result))
