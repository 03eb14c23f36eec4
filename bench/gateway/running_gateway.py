"""Gateway under test, its backend, and encoded calls."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateway.load import CallLoadOrder
from tests.gateway.request_builders import META, VERSION
from tests.gateway.serve.running_gateway import (
    Serving,
    configuration,
    serving,
    token_of,
)

READS, DURABLE, BIG = "echo", "write", "big"
AGENT = "ana"


@dataclass(frozen=True, slots=True)
class CallTarget:
    """Target address of calls.

    Attributes:
        port: On 127.0.0.1.
        path: Of the endpoint.
        fields: Of every request, besides those of MCP.
        measured: Processes whose use counts.
    """

    port: int
    path: str
    fields: dict[str, str]
    measured: tuple[int, ...] = ()

    def build_order(
        self,
        tool: str,
        clients: int,
        seconds: float,
        rate: float = 0.0,
        core: int | None = None,
    ) -> CallLoadOrder:
        """Build a load of calls to one tool."""
        requests = tuple(self._build_request(tool, id) for id in range(clients))
        return CallLoadOrder(self.port, requests, seconds, rate, core)

    def _build_request(self, tool: str, id: int) -> str:
        params = {"name": tool, "arguments": {"path": "a.txt"}, "_meta": META}
        said = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
        body = json.dumps(said, separators=(",", ":"))  # as SDKs write it
        fields = {
            "host": f"127.0.0.1:{self.port}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "content-length": str(len(body)),
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
            "mcp-name": tool,
            **self.fields,
        }
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        return f"POST {self.path} HTTP/1.1\r\n{''.join(lines)}\r\n{body}"


@contextmanager
def run_backend() -> Iterator[CallTarget]:
    """Run the backend without a gateway."""
    argv = (sys.executable, "-m", "bench.gateway.mcp_backend")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield CallTarget(port, "/mcp", {}, (process.pid,))
        finally:
            process.terminate()


def build_settings(port: int, secret: Path | None = None) -> dict[str, Any]:
    """Configure one agent that may use every tool, and one server.

    Args:
        port: Of the server.
        secret: File with the credential that the server is shown, None for none.
    """
    given = configuration(port)
    if secret is not None:
        given["servers"]["files"]["credential"] = {"file": str(secret)}
    given["servers"]["files"]["reads"] = [READS, BIG]
    given["agents"] = {
        AGENT: {
            "callers": [{"issuer": "corp", "sub": AGENT}],
            "allow": [{"server": "files", "tools": ["*"]}],
        }
    }
    return given


@contextmanager
def run_gateway(
    folder: Path, behind: CallTarget, given: dict[str, Any] | None = None
) -> Iterator[tuple[Serving, CallTarget]]:
    """Run `answerable serve` with one enforcing worker, for one pinned token."""
    folder.mkdir(parents=True, exist_ok=True)
    with serving(folder, given or build_settings(behind.port)) as served:
        port = int(served.gateway.rpartition(":")[2])
        fields = {"authorization": f"Bearer {token_of(AGENT)}"}
        yield served, CallTarget(port, "/mcp/files", fields, tuple(served.workers()))
