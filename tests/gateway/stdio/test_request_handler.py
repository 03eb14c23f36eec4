"""The handler of one message of a stdio client."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

from answerable.gateway.stdio.request_handler import StdioRequestHandler
from answerable.gateway.upstream import UpstreamRequest
from answerable.server.background_tasks import BackgroundTasks
from answerable.server.mcp.call import parse_stdio_call
from answerable.server.mcp.methods import McpRevision
from tests.gateway.recording.recorder_fixture import CALLER
from tests.gateway.stdio.wrapper_fixture import call


def test_a_call_whose_credential_fetch_fails_is_answered_with_an_error() -> None:
    async def fetch(*_: object) -> None:
        raise ZeroDivisionError

    credentials = SimpleNamespace(
        needs_credential=lambda _: True,
        find_credential=lambda *_: None,
        fetch_credential=fetch,
    )
    exchange = SimpleNamespace(credentials=credentials, would_allow=lambda *_: True)
    written: list[bytes] = []
    finished: list[object] = []
    failures: list[BaseException] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: failures.append(context["exception"])
        )
        client: Any = SimpleNamespace(
            exchange=exchange,
            caller=CALLER,
            given=None,
            tasks=BackgroundTasks(),
            write_message=written.append,
            on_message_finished=finished.append,
        )
        body = call("echo", id=7)
        parsed = parse_stdio_call(body, McpRevision.V2026_07_28, "scripted")
        sent = UpstreamRequest(parsed, body, b"", "", CALLER.principal)
        StdioRequestHandler(client, sent).start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(run())
    (answer,) = (json.loads(each) for each in written)
    assert answer["id"] == 7
    assert "error" in answer
    assert len(finished) == 1
    assert [type(each) for each in failures] == [ZeroDivisionError]
