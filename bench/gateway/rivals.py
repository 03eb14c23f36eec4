"""Other gateways before the same server, each in its own environment."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.gateway.running_gateway import CallTarget
from bench.peer_tools import install_tools, tool_version

SECONDS = 60  # until one listens
_SCRIPT = Path(__file__).with_name("fastmcp_proxy.py")


@contextmanager
def run_fastmcp(
    root: Path, folder: Path, behind: CallTarget
) -> Iterator[dict[str, CallTarget]]:
    """Run FastMCP's proxy; yield it by name, or nothing if it cannot be installed."""
    bin_ = install_tools(root, folder, "world", "fastmcp")
    if bin_ is None:
        yield {}
        return
    port = _free_port()
    url = f"http://127.0.0.1:{behind.port}{behind.path}"
    argv = (str(bin_ / "python"), str(_SCRIPT), url, str(port))
    with subprocess.Popen(argv) as process:
        try:
            _wait_until_ready(process, port)
            name = f"FastMCP {tool_version(bin_, 'fastmcp')} proxy"
            yield {name: CallTarget(port, "/mcp", {}, (process.pid,))}
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")
