"""A server is who it was: by its TLS key, or by its command and program."""

import asyncio
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from answerable.gateway.http.upstream_pool import build_upstream_pools
from answerable.gateway.server_identity import command_identity
from answerable.gateway.stdio.child_process import ServerProgram
from answerable.gateway.stdio.command_upstream import CommandUpstream
from answerable.gateway.upstream import UpstreamRequest
from answerable.gateway.wire.http_heads import UpstreamHead
from answerable.model.config import UpstreamServer
from answerable.model.decision import TargetKind
from answerable.model.worker_limits import WorkerLimits
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision
from answerable.server.wire.refusals import RefusalReason
from tests.authority import Authority, Issued

RUNS = """print(input()[:-1] + ',"result":{}}', flush=True); input()"""


class _Quiet(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.heard += 1  # type: ignore[attr-defined]
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    heard = 0


@contextmanager
def https(issued: Issued, port: int = 0) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", port), _Quiet)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Waiting:
    """A sink that says of itself whether it goes on."""

    def __init__(self, *, goes_on: bool) -> None:
        self.goes_on = goes_on
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def may_send_again(self) -> bool:
        return self.goes_on

    def on_head(self, returned: UpstreamHead, length: int | None) -> None:
        pass

    def on_data(self, data: bytes) -> None:
        pass

    def on_end(self) -> None:
        self.ended.set_result("answered")

    def on_lost(self, why: RefusalReason, *, forwarded: bool) -> None:
        self.ended.set_result("forwarded" if forwarded else "withheld")


def ask(
    server: UpstreamServer, met: list[str], *, knows: bool, goes_on: bool = False
) -> str:
    """Send one message; note who answers; say what became of it."""

    async def whole() -> str:
        ticker = DeadlineTimer(asyncio.get_running_loop())

        def meets(name: str, identity: str) -> bool:
            met.append(identity)
            return knows

        pool = build_upstream_pools((server,), WorkerLimits(), ticker, meets)[
            server.name
        ]
        sink = Waiting(goes_on=goes_on)
        call = McpCall(
            McpRevision.V2026_07_28,
            MessageKind.REQUEST,
            "ping",
            1,
            server.name,
            TargetKind.PING,
        )
        pool.send(UpstreamRequest(call, b"{}"), sink)
        said = await asyncio.wait_for(sink.ended, 60)
        pool.close()
        await asyncio.sleep(0.05)
        return said

    return asyncio.run(whole())


def configured(port: int, ca: Path) -> UpstreamServer:
    url = f"https://127.0.0.1:{port}/mcp"
    return UpstreamServer("files", url, (), (), (), str(ca), "", "", (), ())


def test_a_server_is_known_by_its_key_whatever_its_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    met: list[str] = []
    first, second = authority.issue("one"), authority.issue("two")
    for issued in (first, first, second):
        with https(issued) as server:
            where = configured(server.server_port, authority.root.certificate)
            assert ask(where, met, knows=True) == "answered"
    assert met[0] == met[1] != met[2]
    assert all(each.startswith("tls-key sha256:") for each in met)


@pytest.mark.parametrize("goes_on", [True, False])
def test_nothing_is_said_to_another_server_unless_the_call_still_goes_on(
    tmp_path: Path, *, goes_on: bool
) -> None:
    authority = Authority(tmp_path)
    with https(authority.issue("one")) as server:
        where = configured(server.server_port, authority.root.certificate)
        said = ask(where, [], knows=False, goes_on=goes_on)
        assert said == ("answered" if goes_on else "withheld")
        assert server.heard == goes_on


@pytest.mark.parametrize("goes_on", [True, False])
def test_another_program_is_not_run_unless_the_call_still_goes_on(
    tmp_path: Path, *, goes_on: bool
) -> None:
    """What it is given in its environment would be shown to it by that."""

    async def whole() -> str:
        loop = asyncio.get_running_loop()
        program = ServerProgram((sys.executable, "-c", RUNS), {}, shows_errors=True)
        command = CommandUpstream(
            program, WorkerLimits(), DeadlineTimer(loop), loop, lambda _: False
        )
        sink = Waiting(goes_on=goes_on)
        call = McpCall(
            McpRevision.V2026_07_28,
            MessageKind.REQUEST,
            "ping",
            1,
            "files",
            TargetKind.PING,
        )
        command.send(UpstreamRequest(call, b'{"id":1}'), sink)
        said = await asyncio.wait_for(sink.ended, 60)
        command.close()
        await asyncio.sleep(0.1)
        return said

    assert asyncio.run(whole()) == ("answered" if goes_on else "withheld")


def test_a_command_is_known_by_its_words_and_its_program(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_bytes(b"#!/bin/sh\n")
    program.chmod(0o755)
    path = str(tmp_path)
    first = command_identity(["server", "--key", "s3cret"], path)
    assert first == command_identity(["server", "--key", "s3cret"], path)
    assert first != command_identity(["server", "--key", "other"], path)
    assert "s3cret" not in first
    program.write_bytes(b"#!/bin/sh\nexfiltrate\n")
    assert first != command_identity(["server", "--key", "s3cret"], path)
    assert "missing" in command_identity(["nowhere"], path)
