"""A large answer that is refused while it passes: its client is told, and waits for nothing."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.gateway.serve.running_gateway import call, configuration, serving

SIZE = 400_000
START = b'{"jsonrpc":"2.0","id":1,'
RESULT = b'"result":{"resultType":"complete","content":[{"type":"text","text":"'
LETTERS = b"a" * SIZE


def twice(start: bytes) -> bytes:
    return START + start + RESULT + LETTERS + b'"}]}}'


BODIES = {
    "a key twice at its start": twice(b'"result":{},'),
    "no JSON at its start": b"<html>" + LETTERS,
    "two values": twice(b"") + b"{}",
    "a key twice at its end": twice(b"")[:-1] + b',"result":{}}',
    "no JSON at its end": twice(b"")[:-2] + b"]" + LETTERS,
    "cut short": twice(b"")[:-9],
    "asks the client": START
    + b'"result":{"resultType":"input_required","inputRequests":{},"x":"'
    + LETTERS
    + b'"}}',
}


@contextmanager
def backend() -> Iterator[ThreadingHTTPServer]:
    """Answers each call with the body that its tool is named for."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            name = asked.get("params", {}).get("name", "")
            body = BODIES.get(name, b"{}")
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_refused_large_answer_leaves_no_client_waiting(
    tmp_path: Path, counted: list[str]
) -> None:
    with backend() as behind:
        made = configuration(behind.server_port, default_mode="observe")
        for agent in made["agents"].values():
            agent["allow"] = [{"server": "files", "tools": list(BODIES)}]
        with serving(tmp_path, made) as served:
            for name in BODIES:
                wire = http.client.HTTPConnection(served.gateway, timeout=60)
                with closing(wire):
                    try:
                        said = call(wire, name)
                    except (http.client.HTTPException, ConnectionError, ValueError):
                        said = "cut"
                assert said == "cut" or "error" in said, (name, said)
                counted.append(name)
