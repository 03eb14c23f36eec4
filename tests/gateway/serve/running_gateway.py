"""A real `answerable serve`, a server behind it, and a client of plain HTTP."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.federation.sample_tokens import (
    AUD,
    EC,
    ISS,
    claims,
    document,
    header,
    public,
    sign,
)
from tests.gateway.request_builders import META, VERSION

SECONDS = 120  # only a busy machine takes as long
WORKER = "answerable.gateway.serve.worker"
SHOWN = ("authorization", "x-api-key")


class _Backend(BaseHTTPRequestHandler):
    """Answers a tool call with its name; `slow` after as long as its argument says.

    `headers` answers with the fields of its request, as debug pages do.
    """

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "id" not in said:
            self.send_response(202)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        name = said.get("params", {}).get("name", "")
        self.server.calls.append(name)  # type: ignore[attr-defined]
        self.server.shown += [  # type: ignore[attr-defined]
            (field, self.headers[field]) for field in SHOWN if field in self.headers
        ]
        if name == "stream":
            self._stream()
            return
        if name == "slow":
            time.sleep(said["params"]["arguments"]["seconds"])
        text = json.dumps(dict(self.headers)) if name == "headers" else name
        result = {"content": [{"type": "text", "text": text}], "resultType": "complete"}
        answer = {"jsonrpc": "2.0", "id": said["id"], "result": result}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        """Send events until the client is gone."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
        self.close_connection = True
        try:
            while True:
                self.wfile.write(f"data: {json.dumps(note)}\n\n".encode())
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            self.server.calls.append("stream ended")  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


class Backend(ThreadingHTTPServer):
    """The server behind the gateway; `calls` names the tools that were called.

    `shown` is what carried a credential, `(field, value)` for each.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Backend)
        self.calls: list[str] = []
        self.shown: list[tuple[str, str]] = []

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def backend() -> Iterator[Backend]:
    server = Backend()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def configuration(port: int, **more: Any) -> dict[str, Any]:
    """One issuer, one server, and an agent for each of two subjects."""
    rule = {"server": "files", "tools": ["read", "slow", "stream"]}
    return {
        "store": "store",
        "listen": {
            "api": "127.0.0.1:0",
            "gateway": [{"address": "127.0.0.1:0"}, {"unix": "gw.sock"}],
        },
        "issuers": {
            "corp": {
                "iss": ISS,
                "audience": AUD,
                "keys": "keys.json",
                "algs": ["ES256"],
                "bearer": True,
            }
        },
        "servers": {
            "files": {"url": f"http://127.0.0.1:{port}/mcp", "reads": ["read"]}
        },
        "agents": {
            name: {"callers": [{"issuer": "corp", "sub": name}], "allow": [rule]}
            for name in ("ana", "ben")
        },
        **more,
    }


def token_of(subject: str, **more: Any) -> str:
    now = int(time.time())
    said = claims(sub=subject, client_id=subject, jti=subject, iat=now, exp=now + 3600)
    return sign(header(), said | more)


def bound_token(subject: str, thumbprint: str) -> str:
    """A token that is bound to a certificate (RFC 8705 3.1)."""
    return token_of(subject, cnf={"x5t#S256": thumbprint})


@dataclass
class Serving:
    """A gateway that runs.

    Attributes:
        process: The supervisor.
        folder: Where its file, store and sockets are.
        api: HOST:PORT of its API.
        gateway: HOST:PORT of its gateway.
        log: Lines of its standard error so far.
    """

    process: subprocess.Popen[str]
    folder: Path
    api: str = ""
    gateway: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)

    def get(self, path: str, **fields: str) -> tuple[int, str]:
        """Ask the API for a page."""
        connection = http.client.HTTPConnection(self.api, timeout=SECONDS)
        try:
            connection.request("GET", path, headers=fields)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, line: str) -> float:
        """The value of one time series; 0 where there is none."""
        for each in self.get("/metrics")[1].splitlines():
            if each.startswith(line + " "):
                return float(each.rpartition(" ")[2])
        return 0.0

    def call(self, name: str = "read", who: str = "ana", **more: Any) -> Any:
        """Call a tool over a connection of its own; the answer, or the HTTP status."""
        connection = http.client.HTTPConnection(self.gateway, timeout=SECONDS)
        try:
            return call(connection, name, who, **more)
        finally:
            connection.close()

    def configure(self, settings: dict[str, Any]) -> None:
        """Write another file."""
        (self.folder / "answerable.yaml").write_text(json.dumps(settings, indent=1))

    def hear(self, event: str, count: int = 1) -> dict[str, Any]:
        """Wait for a line of the log; give the newest of its kind."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            found = [line for line in self.log if line["event"] == event]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(f"no {event} in {self.log}")

    def reload(self) -> None:
        """Have it read its file again; returns once it did."""
        events = ("config.taken", "config.refused")
        before = sum(line["event"] in events for line in self.log)
        self.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + SECONDS
        while sum(line["event"] in events for line in self.log) == before:
            assert time.monotonic() < until, self.log
            time.sleep(0.02)

    def end(self) -> int:
        """Have it drain; give its exit code."""
        self.process.terminate()
        return self.process.wait(SECONDS)

    def children(self) -> list[int]:
        """Process ids of all that the supervisor started."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(each) for each in listed.read_text().split()]

    def workers(self) -> list[int]:
        """Process ids of the workers, without the process that ships evidence."""
        return [each for each in self.children() if WORKER in command_line(each)]


def command_line(pid: int) -> list[str]:
    """Words that a process was started with; none where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def call(
    connection: http.client.HTTPConnection,
    name: str = "read",
    who: str = "ana",
    arguments: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
    token: str = "",
    server: str = "files",
) -> Any:
    """Call a tool; the answer, or the HTTP status where there is none."""
    said = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": name,
            "arguments": arguments or {},
            "_meta": META | (meta or {}),
        },
    }
    fields = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": name,
    }
    if token or who:
        fields["authorization"] = f"Bearer {token or token_of(who)}"
    connection.request("POST", f"/mcp/{server}", json.dumps(said), fields)
    answer = connection.getresponse()
    body = answer.read()
    return json.loads(body) if body else answer.status


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self.path))


@contextmanager
def serving(
    folder: Path,
    settings: dict[str, Any],
    *words: str,
    lines: int = 3,
    env: dict[str, str] | None = None,
) -> Iterator[Serving]:
    """Run `answerable serve` until the block ends."""
    (folder / "keys.json").write_bytes(document(public(EC, kid="k1")))
    argv = [sys.executable, "-m", "answerable", "serve", "--config", "answerable.yaml"]
    process = subprocess.Popen(
        [*argv, *words],
        cwd=_written(folder, settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **(env or {})},
    )
    served = Serving(process, folder)
    reading = threading.Thread(target=_read_log, args=(served,))
    reading.start()
    try:
        assert process.stdout is not None
        for _ in range(lines):
            what, _, where = process.stdout.readline().strip().partition(" ")
            assert what, served.log
            scheme, _, authority = where.partition("://")
            if scheme in ("http", "https"):
                setattr(served, what, authority)
        yield served
    finally:
        _cut(served)
        reading.join()
        assert process.stdout is not None
        process.stdout.close()


def _cut(served: Serving) -> None:
    """Be done with it at once: a test of how it ends has it `end` before."""
    with suppress(FileNotFoundError):
        children = served.children()
        served.process.kill()
        for each in children:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
    served.process.wait()


def _written(folder: Path, settings: dict[str, Any]) -> Path:
    (folder / "answerable.yaml").write_text(json.dumps(settings, indent=1))
    return folder


def _read_log(served: Serving) -> None:
    assert served.process.stderr is not None
    with served.process.stderr as lines:
        for line in lines:
            try:
                served.log.append(json.loads(line))
            except ValueError:
                served.log.append({"event": "text", "line": line.rstrip()})
