"""`make fuzz`: coverage-guided fuzzing of the parser laws.

Run as `python -m bench.gateway.fuzz [--minutes 10] [--corpus DIR] [LAW...]`, in an
environment with atheris. Each law has its share of the time in a process of its own,
and its corpus in a folder of its name, which is kept for the next run. Ends with exit
code 1 when a law was broken; the bytes that broke it stay in the corpus, as `crash-...`.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.gateway.running_gateway import READS, CallTarget
from tests.gateway.request_builders import body

CORPUS = Path.home() / ".cache" / "answerable" / "fuzz"
PREFIX = b"\x01\x00"  # where laws of slices cut


def write_seeds() -> dict[str, list[bytes]]:
    """Write valid inputs as seeds of each law."""
    call = (
        CallTarget(8471, "/mcp/files", {}).build_order(READS, 1, 1).requests[0].encode()
    )
    items = [{"name": "a.read", "uri": "a://b"}, {"name": "b"}]
    listed = {"tools": items, "resources": items, "ttlMs": 0, "resultType": "complete"}
    result = json.dumps({"jsonrpc": "2.0", "id": 1, "result": listed}).encode()
    asks = {"inputRequests": {"a": {"method": "roots/list"}}, "requestState": "s"}
    asked = json.dumps({"jsonrpc": "2.0", "id": "1", "result": asks}).encode()
    error = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"\\u00e9"}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n"
    known = head + b"Content-Length: 2\r\n\r\n{}"
    config = Path(__file__).parents[2] / "docs" / "configuration.md"
    example = config.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    listen = body("subscriptions/listen", {"notifications": {"taskIds": ["t"]}})
    return {
        "requests": [PREFIX + call, PREFIX + call * 2],
        "bodies": [body("tools/call", {"name": "a", "arguments": {"a": [1]}}), listen],
        "replies": [PREFIX + known, PREFIX + chunked],
        "answers": [PREFIX + each for each in (result, asked, error)],
        "lists": [result],
        "events": [
            PREFIX + b"\xef\xbb\xbfid: 1\r\nevent: message\ndata: {}\r\r: a\n\n"
        ],
        "configurations": [example.encode()],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz the laws in sequence; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway.fuzz")
    parser.add_argument("--minutes", type=float, default=10, help="for all together")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("laws", nargs="*", help="all, unless some are named")
    options = parser.parse_args(argv)
    given = write_seeds()
    names = options.laws or list(given)
    share = max(1, int(options.minutes * 60 / len(names)))
    broken = []
    for name in names:
        folder = options.corpus / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(given[name]):
            (folder / f"seed-{number}").write_bytes(seed)
        words = (name, str(share), str(folder))
        argv = (sys.executable, "-m", "bench.gateway.fuzz_driver", *words)
        if subprocess.run(argv, check=False).returncode:
            broken.append(name)
    for name in broken:
        sys.stderr.write(f"broken: {name}; see crash-* in {options.corpus / name}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
