"""Client certificates whose authority was removed, or that expired, at running servers."""

import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.authority import Authority, Issued
from tests.gateway.serve.running_gateway import Backend, bound_token, call
from tests.gateway.serve.running_gateway import serving as gateway
from tests.gateway.serve.test_tls import settings
from tests.sts.raw_http_client import RawHttpClient
from tests.sts.running_service import (
    ACCESS,
    ANA,
    ROOT,
    DpopClient,
    RunningService,
    ci_token,
    free_port,
    own_store,
)
from tests.sts.test_tls import BOUND, RULES

# Of a certificate that ends during a test; a busy machine needs longer before that.
LASTS = (timedelta(seconds=3), timedelta(seconds=40))
CUT = (ConnectionError, ssl.SSLError, http.client.HTTPException, EOFError)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Authority, Authority]:
    """Two authorities: one that stays, and one that is taken out."""
    folders = [tmp_path / "stays", tmp_path / "goes"]
    for folder in folders:
        folder.mkdir()
    stays, goes = map(Authority, folders)
    trust(stays, stays, goes)
    return stays, goes


def bundle(stays: Authority) -> Path:
    return stays.folder / "bundle.pem"


def trust(stays: Authority, *authorities: Authority) -> None:
    roots = [each.root.certificate.read_bytes() for each in authorities]
    bundle(stays).write_bytes(b"".join(roots))


def context_of(
    trusted: Authority, shown: Issued, *, old: bool = False
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(trusted.root.certificate))
    context.load_cert_chain(shown.certificate, shown.key)
    if old:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


# The gateway.


def gateway_settings(server: Backend, stays: Authority) -> dict[str, Any]:
    made = settings(server.server_port, stays.issue("gateway"), stays)
    made["listen"]["gateway"][0]["tls"]["client_ca"] = str(bundle(stays))
    return made


def connection(where: str, trusted: Authority, shown: Issued) -> Any:
    context = context_of(trusted, shown)
    return http.client.HTTPSConnection(where, context=context, timeout=60)


def call_once(where: str, trusted: Authority, shown: Issued, token: str) -> Any:
    wire = connection(where, trusted, shown)
    with closing(wire):
        return call(wire, token=token)


def test_a_gateway_closes_the_connections_of_an_authority_that_was_removed(
    tmp_path: Path, server: Backend, both: tuple[Authority, Authority]
) -> None:
    stays, goes = both
    kept, lost = stays.issue("kept"), goes.issue("lost")
    tokens = {
        "kept": [bound_token(who, kept.thumbprint) for who in ("ana", "ben")],
        "lost": [bound_token(who, lost.thumbprint) for who in ("ana", "ben")],
    }
    with gateway(tmp_path, gateway_settings(server, stays), lines=2) as served:
        # Two workers and two callers: half of the connections are relayed.
        open_ones = {
            name: [connection(served.gateway, stays, shown) for _ in range(8)]
            for name, shown in (("kept", kept), ("lost", lost))
        }

        def calls(name: str) -> Iterator[Any]:
            for number, each in enumerate(open_ones[name]):
                yield lambda each=each, number=number: call(
                    each, token=tokens[name][number % 2]
                )

        for each in (*calls("kept"), *calls("lost")):
            assert "result" in each()
        trust(stays, stays)
        served.reload()
        for each in calls("kept"):
            assert "result" in each()
        passed = 0
        for wire in open_ones["lost"]:
            wire.auto_open = 0
        for each in calls("lost"):
            with suppress(CUT):
                passed += "result" in each()
        assert passed == 0
        with pytest.raises(CUT):
            call_once(served.gateway, stays, lost, tokens["lost"][0])
        for each in open_ones["kept"] + open_ones["lost"]:
            each.close()


def test_a_gateway_takes_no_certificate_when_its_file_names_no_authority_any_more(
    tmp_path: Path, server: Backend, both: tuple[Authority, Authority]
) -> None:
    stays, _ = both
    shown = stays.issue("shown")
    token = bound_token("ana", shown.thumbprint)
    made = gateway_settings(server, stays)
    with gateway(tmp_path, made, lines=2) as served:
        wire = connection(served.gateway, stays, shown)
        assert "result" in call(wire, token=token)
        del made["listen"]["gateway"][0]["tls"]["client_ca"]
        served.configure(made)
        served.reload()
        wire.auto_open = 0
        with pytest.raises(CUT):
            call(wire, token=token)
        wire.close()
        assert call_once(served.gateway, stays, shown, token) == 401


def test_an_expired_certificate_is_none_on_an_open_connection_and_a_resumed_session(
    tmp_path: Path, server: Backend, both: tuple[Authority, Authority]
) -> None:
    stays, _ = both
    made = gateway_settings(server, stays)
    with gateway(tmp_path, made, lines=2) as served:
        for lasts in LASTS:
            shown = stays.issue("brief", lasts=lasts)
            ends = time.time() + lasts.total_seconds()
            token = bound_token("ana", shown.thumbprint)
            with suppress(*CUT):
                wire = connection(served.gateway, stays, shown)
                answer = call(wire, token=token)
                context = context_of(stays, shown, old=True)
                with resumable(served.gateway, context, None) as first:
                    session = first.session
                if time.time() < ends:
                    break
        assert "result" in answer
        assert session is not None
        time.sleep(max(0, ends + 1 - time.time()))
        assert call(wire, token=token) == 401
        wire.close()
        # Or a full handshake, which does not take it.
        with suppress(CUT), resumable(served.gateway, context, session) as again:
            assert call(over(again, served.gateway), token=token) == 401


@contextmanager
def resumable(
    where: str, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> Iterator[ssl.SSLSocket]:
    host, _, port = where.rpartition(":")
    plain = socket.create_connection((host, int(port)), timeout=60)
    with context.wrap_socket(
        plain, server_hostname="localhost", session=session
    ) as wire:
        yield wire


def over(wire: ssl.SSLSocket, where: str) -> http.client.HTTPConnection:
    made = http.client.HTTPConnection(where)
    made.sock = wire
    return made


# The token service.


@contextmanager
def token_service(folder: Path, stays: Authority) -> Iterator[RunningService]:
    server, port = stays.issue("server"), free_port()
    files = f"certificate: {server.certificate}, key: {server.key}"
    more = f"""
    - address: 127.0.0.1:{port}
      hosts: ["localhost:{port}"]
      tls: {{{files}, client_ca: {bundle(stays)}}}
  terminator: {{field: client-cert, uid: {os.getuid()}}}
"""
    world = RunningService(folder, rules=RULES, more=more)
    own_store(world.store, {ROOT: ANA})
    world.write()
    world.start()
    world.second = port  # type: ignore[attr-defined]
    try:
        yield world
    finally:
        world.stop()


def over_tls(world: RunningService, trusted: Authority, shown: Issued) -> RawHttpClient:
    port = world.second  # type: ignore[attr-defined]
    plain = socket.create_connection(("127.0.0.1", port))
    context = context_of(trusted, shown)
    wrapped = context.wrap_socket(plain, server_hostname="localhost")
    return RawHttpClient(wrapped, f"localhost:{port}")


NAMED = (x509.UniformResourceIdentifier(BOUND),)


def test_a_token_service_closes_the_connections_of_an_authority_that_was_removed(
    tmp_path: Path, both: tuple[Authority, Authority]
) -> None:
    stays, goes = both
    kept, lost = stays.issue("kept", NAMED), goes.issue("lost", NAMED)
    with token_service(tmp_path / "sts", stays) as world:
        client = DpopClient(world)
        wires = {
            name: over_tls(world, stays, by)
            for name, by in (("kept", kept), ("lost", lost), ("asking", lost))
        }
        tokens = {
            name: client.get(wires[name], ci_token(world), audience=BOUND, proof="")
            for name in ("kept", "lost")
        }
        asked = wires["asking"].form("/introspect", {"token": tokens["lost"]})
        assert asked.json["active"]
        trust(stays, stays)
        world.reload()
        renewed = {}
        for name, token in tokens.items():
            try:
                reply = client.exchange(
                    wires[name], token, ACCESS, audience=BOUND, proof=""
                )
                renewed[name] = reply.status
            except CUT:
                renewed[name] = 0
        assert renewed == {"kept": 200, "lost": 0}
        with pytest.raises(CUT):
            wires["asking"].form("/introspect", {"token": tokens["lost"]})
        with pytest.raises(CUT), over_tls(world, stays, lost) as again:
            again.ask("GET", "/healthz")
        for wire in wires.values():
            wire.close()


def test_an_expired_certificate_neither_renews_nor_introspects(
    tmp_path: Path, both: tuple[Authority, Authority]
) -> None:
    stays, _ = both
    with token_service(tmp_path / "sts", stays) as world:
        client = DpopClient(world)
        for lasts in LASTS:
            shown = stays.issue("brief", NAMED, lasts=lasts)
            ends = time.time() + lasts.total_seconds()
            with suppress(AssertionError, *CUT):
                wire = over_tls(world, stays, shown)
                token = client.get(wire, ci_token(world), audience=BOUND, proof="")
                active = wire.form("/introspect", {"token": token})
                if time.time() < ends:
                    break
        with wire:
            assert active.json["active"]
            time.sleep(max(0, ends + 1 - time.time()))
            for subject, kind in ((token, ACCESS), (ci_token(world), "")):
                more = (kind,) if kind else ()
                reply = client.exchange(wire, subject, *more, audience=BOUND, proof="")
                assert reply.json == {"error": "invalid_grant"}
            assert wire.form("/introspect", {"token": token}).status == 401


def test_bytes_of_a_terminator_that_are_no_certificate_are_refused(
    tmp_path: Path, both: tuple[Authority, Authority]
) -> None:
    stays, _ = both
    with token_service(tmp_path / "sts", stays) as world:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "audience": BOUND,
        }
        for value in (":AAAA:", ":bm8gY2VydGlmaWNhdGU=:", ":MIIB:"):
            members = form | {"subject_token": ci_token(world)}
            with world.local() as wire:
                reply = wire.form("/token", members, {"Client-Cert": value})
            assert reply.status == 400, value
            assert b"access_token" not in reply.body
