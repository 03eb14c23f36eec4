"""MCP server over standard streams: one line in, one answer out."""

import sys

from bench.gateway.mcp_backend import build_answer


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin.buffer:
        if data := build_answer(line):
            sys.stdout.buffer.write(data + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
