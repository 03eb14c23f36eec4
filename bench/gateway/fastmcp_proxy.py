"""FastMCP proxy of a server: `PYTHON fastmcp_proxy.py URL PORT`, in its own env."""

import sys

from fastmcp.server import create_proxy

if __name__ == "__main__":
    url, port = sys.argv[1:]
    create_proxy(url).run(
        transport="http",
        port=int(port),
        path="/mcp",
        stateless_http=True,
        json_response=True,
        show_banner=False,
        log_level="ERROR",
    )
