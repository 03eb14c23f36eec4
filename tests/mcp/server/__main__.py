"""Run the test server: `python -m tests.mcp.server [--stdio | --port PORT]`.

Over HTTP it listens on 127.0.0.1 and first prints its URL on a line of its own.
"""

import argparse
import asyncio
import socket
import sys
import warnings

import uvicorn
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPDeprecationWarning

from tests.mcp.server.app import build
from tests.mcp.server.resumption import Kept

RETRY_MILLISECONDS = 100


async def _serve_stdio() -> None:
    server = build()
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


async def _serve_http(port: int) -> None:
    app = build().streamable_http_app(
        event_store=Kept(), retry_interval=RETRY_MILLISECONDS
    )
    # httptools hands on the space around a value (RFC 9110 5.5); h11 strips it.
    config = uvicorn.Config(
        app, http="h11", log_level="warning", timeout_graceful_shutdown=1
    )
    with socket.create_server(("127.0.0.1", port)) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp\n")
        sys.stdout.flush()
        await uvicorn.Server(config).serve(sockets=[listener])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mcp.server")
    parser.add_argument("--stdio", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    asyncio.run(_serve_stdio() if asked.stdio else _serve_http(asked.port))


if __name__ == "__main__":
    main()
