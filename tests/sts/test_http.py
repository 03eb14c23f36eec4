"""The connection: bounds, order, deadlines, the named terminator."""

import asyncio
import base64
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from answerable.model.config import TlsTerminator
from answerable.model.worker_limits import WorkerLimits
from answerable.server.admission import AdmissionControl
from answerable.server.wire.host_check import ServedNames
from answerable.sts.http.connection import StsConnection
from answerable.sts.http.path_aliases import resolve_path_alias
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import StsResponse, json_response
from answerable.sts.http.server import RouteTable, StsHttpServer
from tests.authority import self_signed
from tests.sts.raw_http_client import RawHttpClient, spelled

LIMITS = WorkerLimits(connections=8, head=1, body=1, idle=2)


class HttpServerHarness:
    """A door with one endpoint that says what it was asked."""

    def __init__(self, terminator: TlsTerminator | None = None) -> None:
        self.away: list[str] = []
        self.failed: list[BaseException] = []
        self.asked = 0
        self.go = asyncio.Event()
        self.go.set()
        loop = asyncio.get_running_loop()
        routes = RouteTable(
            "/sts", {("POST", "/echo"): self.echo, ("GET", "/boom"): self.boom}
        )
        self.http_server = StsHttpServer(
            routes,
            LIMITS,
            terminator,
            loop,
            self.away.append,
            self.failed.append,
            admission=AdmissionControl(LIMITS),
        )

    async def echo(self, asked: StsRequest) -> StsResponse:
        self.asked += 1
        await self.go.wait()
        peer = asked.link.peer
        return json_response(
            {
                "size": len(asked.body),
                "certificate": asked.link.certificate.decode("latin-1"),
                "peer": peer.uid if peer else None,
                "attestable": asked.socket is not None,
            }
        )

    async def boom(self, _: StsRequest) -> StsResponse:
        raise ValueError("a secret")

    def front(self, hosts: tuple[str, ...]) -> StsConnection:
        return StsConnection(
            self.http_server, ServedNames(frozenset(hosts)), "http://sts.example"
        )


def staged(
    work: Callable[[HttpServerHarness, str], Awaitable[None]]
    | Callable[[HttpServerHarness, str], None],
    unix: Path | None = None,
    terminator: TlsTerminator | None = None,
) -> HttpServerHarness:
    """Run blocking work against a door."""

    async def run() -> HttpServerHarness:
        stage = HttpServerHarness(terminator)
        loop = asyncio.get_running_loop()
        if unix is None:
            probe = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
            port = probe.sockets[0].getsockname()[1]
            probe.close()
            hosts = (f"127.0.0.1:{port}",)
            server = await loop.create_server(
                partial(stage.front, hosts), "127.0.0.1", port
            )
            where = f"http://127.0.0.1:{port}"
        else:
            server = await loop.create_unix_server(
                partial(stage.front, ("localhost",)), str(unix)
            )
            where = f"unix:{unix}"
        await asyncio.to_thread(work, stage, where)
        server.close()
        stage.http_server.abort()
        return stage

    return asyncio.run(run())


def test_requests_of_one_connection_are_answered_in_their_order() -> None:
    def work(_: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            whole = b"".join(
                spelled("POST", "/echo", b"x" * size, host=wire.host)
                for size in range(50)
            )
            wire.send(whole)
            assert [wire.reply().json["size"] for _ in range(50)] == list(range(50))

    staged(work)


@pytest.mark.parametrize(
    ("path", "usual"),
    [
        ("/answerable/oauth2/v2.0/token", "/token"),
        ("/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token", "/token"),
        ("//oauth2/v2.0/token", ""),
        ("/a/b/oauth2/v2.0/token", ""),
        ("/a/oauth2/v2.0/token/", ""),
        ("/a/oauth2/v2.0/token\n", ""),
        ("/a/oauth2/v2x0/token", ""),
        ("/a%2fb/oauth2/v2.0/token", ""),
        (f"/{'a' * 129}/oauth2/v2.0/token", ""),
        ("/a/oauth2/v2.0/revoke", ""),
    ],
)
def test_the_address_that_azure_clients_write_is_the_token_endpoint(
    path: str, usual: str
) -> None:
    assert resolve_path_alias(path) == (usual or path)


def test_a_path_below_the_services_own_is_the_same_endpoint() -> None:
    def work(stage: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            assert wire.ask("POST", "/sts/echo").status == 200
            assert wire.ask("POST", "/other/echo").status == 404
            assert wire.ask("GET", "/echo").status == 405
            assert wire.ask("POST", "/echo?a=b").status == 404

    assert staged(work).away == ["unknown-path"] * 3


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /echo HTTP/1.0\r\n\r\n", 505),
        (b"PUT /echo HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"POST /echo HTTP/1.1\r\nHost: elsewhere\r\n\r\n", 421),
        (b"POST /echo HTTP/1.1\r\nHost: HERE\r\nOrigin: http://evil\r\n\r\n", 403),
        (b"POST /echo HTTP/1.1\r\nHost: HERE\r\nContent-Length: 65537\r\n\r\n", 413),
        (
            b"POST /echo HTTP/1.1\r\nHost: HERE\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
            431,
        ),
        (
            b"POST /echo HTTP/1.1\r\nHost: HERE\r\nContent-Length: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"POST /echo HTTP/1.1\r\nHost: HERE\r\nDPoP: a\r\nDPoP: b\r\n\r\n", 400),
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused_and_cut(
    data: bytes, status: int
) -> None:
    def work(_: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            wire.send(data.replace(b"HERE", wire.host.encode()))
            assert wire.reply().status == status
            assert wire.is_closed()

    staged(work)


def test_a_chunked_body_has_the_same_bound() -> None:
    def work(_: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            head = f"POST /echo HTTP/1.1\r\nHost: {wire.host}\r\n"
            wire.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            wire.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n1\r\n")
            assert wire.reply().status == 413

    staged(work)


def test_a_client_that_drips_is_answered_that_it_is_slow() -> None:
    def work(_: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            wire.send(b"POST /echo HTTP/1.1\r\n")
            for _ in range(20):
                time.sleep(0.1)
                try:
                    wire.send(b"x")
                except OSError:
                    break
            assert wire.reply().status == 408

    staged(work)


def test_connections_are_bounded() -> None:
    def work(stage: HttpServerHarness, where: str) -> None:
        wires = [RawHttpClient.to(where) for _ in range(LIMITS.connections)]
        assert all(wire.ask("POST", "/echo").status == 200 for wire in wires)
        with RawHttpClient.to(where) as more:
            assert more.is_closed()
        wires.pop().close()

        def is_admitted() -> bool:
            with suppress(OSError, EOFError), RawHttpClient.to(where) as more:
                return more.ask("POST", "/echo").status == 200
            return False

        until = time.monotonic() + 60
        while not is_admitted():  # it hears a little later that there is room
            assert time.monotonic() < until
            time.sleep(0.01)
        for wire in wires:
            wire.close()

    staged(work)


def test_what_fails_is_answered_so_and_its_text_stays_here() -> None:
    def work(_: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            reply = wire.ask("GET", "/boom")
            assert (reply.status, reply.json) == (500, {"error": "server_error"})
            assert wire.ask("POST", "/echo").status == 200

    assert len(staged(work).failed) == 1


def test_a_draining_door_finishes_what_is_under_way() -> None:
    def work(stage: HttpServerHarness, where: str) -> None:
        loop = stage.http_server.loop
        with RawHttpClient.to(where) as idle, RawHttpClient.to(where) as busy:
            assert idle.ask("POST", "/echo").status == 200
            loop.call_soon_threadsafe(stage.go.clear)
            before = stage.asked
            busy.send(spelled("POST", "/echo", b"abc", host=busy.host))
            while stage.asked == before:
                time.sleep(0.01)
            loop.call_soon_threadsafe(stage.http_server.drain)
            assert idle.is_closed()
            loop.call_soon_threadsafe(stage.go.set)
            reply = busy.reply()
            assert reply.json["size"] == 3
            assert reply.fields["connection"] == "close"
            assert busy.is_closed()

    staged(work)


CERTIFICATE = self_signed("workload", time.time() - 3600, time.time() + 3600)
EXPIRED = self_signed("workload", time.time() - 3600, time.time() - 60)
SHOWN = base64.b64encode(CERTIFICATE).decode()
NO_CERTIFICATE = base64.b64encode(b"certificate").decode()


def test_only_the_named_terminators_word_on_a_certificate_is_believed(
    tmp_path: Path,
) -> None:
    """RFC 9440: from any other connection the field says nothing."""
    fields = {"Client-Cert": f":{SHOWN}:"}
    mine = os.getuid()
    cases = [
        (
            TlsTerminator("client-cert", mine),
            CERTIFICATE.decode("latin-1"),
            None,
            False,
        ),
        (TlsTerminator("client-cert", mine + 1), "", mine, True),
        (None, "", mine, True),
        (TlsTerminator("x-client-cert", mine), "", None, False),
    ]
    for number, (terminator, certificate, peer, attestable) in enumerate(cases):

        def work(_: HttpServerHarness, where: str, *expected: object) -> None:
            with RawHttpClient.to(where) as wire:
                said = wire.ask("POST", "/echo", b"", fields).json
                assert tuple(said.values())[1:] == expected

        staged(
            partial(_last, work, certificate, peer, attestable),
            tmp_path / f"{number}.sock",
            terminator,
        )

    def loopback(_: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            said = wire.ask("POST", "/echo", b"", fields).json
            assert tuple(said.values())[1:] == ("", None, False)

    staged(loopback, None, TlsTerminator("client-cert", mine))
    print(f"{len(cases) + 1} connections that say a certificate")


def test_an_expired_certificate_that_a_terminator_says_does_not_count(
    tmp_path: Path,
) -> None:
    """RFC 5280 4.1.2.5: the terminator's connection to its client may outlive it."""
    fields = {"Client-Cert": f":{base64.b64encode(EXPIRED).decode()}:"}

    def work(_: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            assert wire.ask("POST", "/echo", b"", fields).json["certificate"] == ""

    staged(work, tmp_path / "s.sock", TlsTerminator("client-cert", os.getuid()))


def _last(work, *said):
    stage, where = said[-2:]
    work(stage, where, *said[:-2])


@pytest.mark.parametrize(
    "value",
    ["x", f"{SHOWN}", f":{SHOWN}", f":{NO_CERTIFICATE}:", ":a:", ":*:", "::, ::"],
    ids=["text", "no colons", "one colon", "other bytes", "short", "star", "two"],
)
def test_a_terminator_that_says_no_certificate_is_refused(
    tmp_path: Path, value: str
) -> None:
    def work(_: HttpServerHarness, where: str) -> None:
        with RawHttpClient.to(where) as wire:
            fields = {"Client-Cert": value}
            assert wire.ask("POST", "/echo", b"", fields).status == 400

    staged(work, tmp_path / "s.sock", TlsTerminator("client-cert", os.getuid()))
