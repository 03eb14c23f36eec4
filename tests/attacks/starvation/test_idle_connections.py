"""Connections that send nothing, or never end a head: other clients are served on."""

import asyncio
import http.client
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from answerable.pdp.envoy import ext_authz_proto as auth
from tests.authority import Authority
from tests.gateway.serve.running_gateway import (
    Backend,
    UnixConnection,
    call,
    configuration,
    serving,
    token_of,
)
from tests.gateway.serve.test_tls import calling, settings
from tests.pdp.envoy.test_check_request import request
from tests.pdp.envoy.test_ext_authz import check
from tests.sts.raw_http_client import RawHttpClient
from tests.sts.running_service import DpopClient, ci_token, free_port
from tests.sts.running_service import serving as token_service

FLOOD = 1_300  # connections: more than a server has places
SOON = 60.0  # seconds within which a client is served, or cut off, at the latest
OPEN_FILES = 8_192
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


@pytest.fixture(autouse=True)
def _many_open_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(max(soft, OPEN_FILES), hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def flood(where: str, first: bytes = b"", count: int = FLOOD) -> Iterator[None]:
    """Hold connections open; each sent `first` and nothing more."""
    with ExitStack() as held:
        for _ in range(count):
            held.enter_context(closing(connected(where, first)))
        yield


def connected(where: str, first: bytes) -> socket.socket:
    if where.startswith("/"):
        wire = socket.socket(socket.AF_UNIX)
        wire.settimeout(60)
        while wire.connect_ex(where):  # the backlog is full
            time.sleep(0.001)
    else:
        host, _, port = where.rpartition(":")
        wire = socket.create_connection((host, int(port)), 20)
    with suppress(OSError):  # closed already, to admit a later one
        wire.sendall(first)
    return wire


# What would cut off a connection, too.
PATIENT = {"head": 300, "body": 300, "idle": 300}


def in_time(began: float) -> bool:
    return time.monotonic() - began < SOON


LONG = pytest.mark.world


@pytest.mark.parametrize(
    "first",
    [
        b"",
        pytest.param(b"P", marks=LONG),
        pytest.param(b"POST /mcp/files HTTP/1.1\r\nHost: a", marks=LONG),
    ],
)
def test_idle_connections_shut_no_caller_out_of_a_gateway(
    tmp_path: Path, server: Backend, first: bytes, counted: list[str]
) -> None:
    with serving(tmp_path, configuration(server.server_port)) as served:
        unix = str(served.folder / "gw.sock")
        with (
            flood(served.gateway, first),
            flood(served.api, first),
            flood(unix, first),
        ):
            counted += ["idle connections"] * 3 * FLOOD
            began = time.monotonic()
            assert "result" in served.call()
            assert served.get("/healthz")[0] == 200
            status, page = served.get("/readyz")
            with closing(UnixConnection(Path(unix))) as local:
                assert "jsonrpc" in call(local)  # decided; this user is no agent
            assert in_time(began)
            assert status == 200
            assert any("connections" in each for each in json.loads(page)["warnings"])
        assert served.metric('answerable_connections_evicted_total{quota="new"}') > 0
        assert served.hear("connections.evicted")["level"] == "warning"


def test_a_connection_that_sends_nothing_is_closed_within_seconds(
    tmp_path: Path, server: Backend
) -> None:
    made = configuration(server.server_port, limits={"first_request": 1, **PATIENT})
    with serving(tmp_path, made) as served:
        for where in (served.gateway, served.api, str(served.folder / "gw.sock")):
            with closing(connected(where, b"")) as wire:
                began = time.monotonic()
                assert wire.recv(1) == b""
                assert in_time(began)


def test_an_authenticated_connection_survives_the_flood(
    tmp_path: Path, server: Backend
) -> None:
    with (
        serving(tmp_path, configuration(server.server_port)) as served,
        closing(http.client.HTTPConnection(served.gateway, timeout=60)) as mine,
    ):
        assert "result" in call(mine)
        kept = mine.sock
        with flood(served.gateway):
            assert "result" in call(mine)
        assert mine.sock is kept


def test_handshakes_that_never_end_shut_no_caller_out_of_a_gateway(
    tmp_path: Path, server: Backend, counted: list[str]
) -> None:
    authority = Authority(tmp_path)
    made = settings(server.server_port, authority.issue("gateway"), authority)
    made["listen"]["workers"] = 1
    made["issuers"]["corp"]["bearer"] = True
    made["limits"] = {"first_request": 2, **PATIENT}
    with serving(tmp_path, made, lines=2) as served:
        with flood(served.gateway), flood(served.gateway, b"\x16\x03\x01"):
            counted += ["handshakes"] * 2 * FLOOD
            began = time.monotonic()
            assert "result" in calling(authority, served.gateway, None, token_of("ana"))
            assert in_time(began)
        with closing(connected(served.gateway, b"\x16")) as wire:
            began = time.monotonic()
            assert wire.recv(1) == b""
            assert in_time(began)


@pytest.mark.parametrize(
    "first", [b"", pytest.param(b"POST /token HTTP/1.1\r\nHost: a", marks=LONG)]
)
def test_idle_connections_shut_no_caller_out_of_a_token_service(
    tmp_path: Path, first: bytes, counted: list[str]
) -> None:
    with token_service(tmp_path) as world:
        where, unix = f"127.0.0.1:{world.port}", str(world.folder / "sts.sock")
        with flood(where, first), flood(unix, first):
            counted += ["idle connections"] * 2 * FLOOD
            began = time.monotonic()
            with world.wire() as wire:
                assert wire.ask("GET", "/healthz").status == 200
                DpopClient(world).get(wire, ci_token(world))
                ready = wire.ask("GET", "/readyz")
            with world.local() as local:
                assert local.ask("GET", "/healthz").status == 200
            assert in_time(began)
            assert ready.status == 200
            warnings = ready.json["warnings"]
            assert isinstance(warnings, list)
            assert any("connections" in each for each in warnings)
            with world.wire() as wire:
                numbers = wire.ask("GET", "/metrics").body.decode()
        assert 'answerable_sts_connections_evicted_total{quota="new"}' in numbers
        assert world.told("connections.evicted") >= 1


def test_health_of_a_token_service_has_places_of_its_own(
    tmp_path: Path, counted: list[str]
) -> None:
    port = free_port()
    more = f"  health: 127.0.0.1:{port}\n"
    with token_service(
        tmp_path, more=more, issuers="\nlimits: {connections: 4}\n"
    ) as world:
        where = f"127.0.0.1:{world.port}"
        # All of them are busy, so none makes room: their bodies are being read.
        post = b"POST /token HTTP/1.1\r\nHost: %b\r\nContent-Length: 9\r\n\r\n"
        with flood(where, post % where.encode(), 50):
            counted += ["half requests"] * 50
            with RawHttpClient.to(f"http://127.0.0.1:{port}") as wire:
                assert wire.ask("GET", "/healthz").status == 200
            with RawHttpClient.to(f"http://127.0.0.1:{port}") as wire:
                assert wire.ask("GET", "/readyz").status == 200
            with RawHttpClient.to(f"http://127.0.0.1:{port}") as wire:
                assert wire.ask("GET", "/jwks").status == 404
        with RawHttpClient.to(f"http://127.0.0.1:{port}") as wire:
            assert b"answerable_sts_ready 1.0" in wire.ask("GET", "/metrics").body


def test_a_token_service_closes_what_sends_nothing_within_seconds(
    tmp_path: Path,
) -> None:
    more = "limits: {first_request: 1, head: 300, body: 300, idle: 300}"
    with token_service(tmp_path, issuers=f"\n{more}\n") as world:
        for where in (f"127.0.0.1:{world.port}", str(world.folder / "sts.sock")):
            with closing(connected(where, b"")) as wire:
                began = time.monotonic()
                assert wire.recv(1) == b""
                assert in_time(began)


def test_idle_connections_shut_no_envoy_out(tmp_path: Path, counted: list[str]) -> None:
    point = {
        "listen": [{"unix": "pdp.sock"}],
        "ext_authz": [{"address": "127.0.0.1:0"}, {"unix": "envoy.sock"}],
        "callers": [{"issuer": "corp", "sub": "envoy"}, {"unix": {"uid": os.getuid()}}],
    }
    limits = {"connections": 40, "first_request": 2, "head": 2}
    said = configuration(9, decisions=point, limits=limits)
    token = {"authorization": f"Bearer {token_of('envoy')}"}
    with serving(tmp_path, said, "--only", "decisions", lines=3) as served:
        where, unix = served.ext_authz, str(tmp_path / "envoy.sock")  # type: ignore[attr-defined]
        host, _, port = where.rpartition(":")
        with flood(where, count=60), flood(where, PREFACE, 60), flood(unix, count=60):
            counted += ["idle connections"] * 180
            began = time.monotonic()
            over_tcp = check(request(), token, host=host, port=int(port))
            assert asyncio.run(over_tcp).status.code == auth.OK
            assert asyncio.run(check(request(), path=unix)).status.code == auth.OK
            assert in_time(began)
        for first in (b"", PREFACE):
            with closing(connected(where, first)) as wire:
                while wire.recv(4096):  # its settings, then the end
                    pass
        evicted = 'answerable_pdp_connections_evicted_total{quota="new"}'
        with closing(UnixConnection(tmp_path / "pdp.sock")) as line:
            line.request("GET", "/metrics")
            numbers = line.getresponse().read().decode()
        assert float(numbers.partition(f"\n{evicted} ")[2].split()[0]) >= 80
