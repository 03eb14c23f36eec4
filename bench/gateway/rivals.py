"""Other gateways before the same server, each in its own environment."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.gateway.running_gateway import Place
from bench.peer_tools import tools, version

SECONDS = 60  # until one listens
_SCRIPT = Path(__file__).with_name("fastmcp_proxy.py")


@contextmanager
def fastmcp(root: Path, folder: Path, behind: Place) -> Iterator[dict[str, Place]]:
    """Run FastMCP's proxy; yield it by name, or nothing if it cannot be installed."""
    bin_ = tools(root, folder, "world", "fastmcp")
    if bin_ is None:
        yield {}
        return
    port = _free()
    url = f"http://127.0.0.1:{behind.port}{behind.path}"
    argv = (str(bin_ / "python"), str(_SCRIPT), url, str(port))
    with subprocess.Popen(argv) as process:
        try:
            _wait(process, port)
            name = f"FastMCP {version(bin_, 'fastmcp')} proxy"
            yield {name: Place(port, "/mcp", {}, (process.pid,))}
        finally:
            process.terminate()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")
