"""Client certificates: over our own TLS, and by the word of a named terminator."""

import base64
import json
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.authority import Authority, Issued
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
    taken,
)

BOUND = "https://bound.example"
RULES = f"""
  - id: ci-root
    issuer: ci
    match: {{job: "42"}}
    agent: {ROOT}
    grants: [{{audience: {BOUND}, scopes: [read], bind: mtls, ttl: 10m}}]
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[RunningService]:
    server, ca = authority.issue("server"), authority.root.certificate
    tls = f"certificate: {server.certificate}, key: {server.key}, client_ca: {ca}"
    port = free_port()
    more = f"""
    - address: 127.0.0.1:{port}
      hosts: ["localhost:{port}"]
      tls: {{{tls}}}
  terminator: {{field: client-cert, uid: {os.getuid()}}}
"""
    world = RunningService(tmp_path_factory.mktemp("tls"), rules=RULES, more=more)
    own_store(world.store, {ROOT: ANA})
    world.write()
    world.start()
    world.second = port  # type: ignore[attr-defined]
    yield world
    world.stop()


def over_tls(
    world: RunningService, authority: Authority, shown: Issued | None
) -> RawHttpClient:
    context = ssl.create_default_context(cafile=str(authority.root.certificate))
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    port = world.second  # type: ignore[attr-defined]
    plain = socket.create_connection(("127.0.0.1", port))
    return RawHttpClient(
        context.wrap_socket(plain, server_hostname="localhost"), f"localhost:{port}"
    )


def test_a_token_is_bound_to_the_certificate_that_was_shown(
    world: RunningService, authority: Authority
) -> None:
    """RFC 8705 3: and it is renewed with that certificate alone."""
    mine, other = authority.issue("workload"), authority.issue("other")
    client = DpopClient(world)
    with over_tls(world, authority, mine) as wire:
        token = client.get(wire, ci_token(world), audience=BOUND, proof="")
        claims = taken(world, wire, token, BOUND)
        assert claims.cnf.x5t_s256 == mine.thumbprint
        again = client.exchange(wire, token, ACCESS, audience=BOUND, proof="")
        assert (again.status, again.json["token_type"]) == (200, "Bearer")
    for shown in (other, None):
        with over_tls(world, authority, shown) as wire:
            for subject, kind in ((token, ACCESS), (ci_token(world), "")):
                if shown is not None and not kind:
                    continue
                asked = {"audience": BOUND, "proof": ""}
                reply = (
                    client.exchange(wire, subject, kind, **asked)
                    if kind
                    else client.exchange(wire, subject, **asked)
                )
                assert reply.json == {"error": "invalid_grant"}


def test_an_audience_authenticates_by_its_certificate(
    world: RunningService, authority: Authority
) -> None:
    mine = authority.issue("workload")
    client = DpopClient(world)
    with over_tls(world, authority, mine) as wire:
        token = client.get(wire, ci_token(world), audience=BOUND, proof="")
    names: dict[str, tuple[x509.GeneralName, ...]] = {
        "uri": (x509.UniformResourceIdentifier(BOUND),),
        "host": (x509.DNSName("bound.example"),),
        "elsewhere": (x509.DNSName("elsewhere.example"),),
        "wild": (x509.DNSName("*.example"),),
        "nameless": (),
    }
    active = {}
    for name, alternative in names.items():
        shown = authority.issue(name, alternative)
        with over_tls(world, authority, shown) as wire:
            active[name] = wire.form("/introspect", {"token": token}).json["active"]
    expected = dict.fromkeys(names, False) | {"uri": True, "host": True}
    assert active == expected


def test_a_terminators_word_on_a_certificate_binds_as_well(
    world: RunningService, authority: Authority
) -> None:
    """RFC 9440: our own user stands for the terminator here."""
    behind = authority.issue("behind")
    fields = {"Client-Cert": f":{base64.b64encode(behind.der).decode()}:"}
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": ci_token(world),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": BOUND,
    }
    with world.local() as wire:
        reply = wire.form("/token", form, fields)
        assert reply.status == 200, reply
        claims = taken(world, wire, str(reply.json["access_token"]), BOUND)
        assert claims.cnf.x5t_s256 == behind.thumbprint
        # Whoever ends TLS is no workload, and no operator.
        assert wire.ask("GET", "/admin/state").status == 404
        body = json.dumps({"subject": "rule:ci-root"}).encode()
        assert wire.ask("POST", "/admin/kill", body).status == 404
    with world.wire() as wire:
        form["subject_token"] = ci_token(world)
        assert wire.form("/token", form, fields).json == {"error": "invalid_grant"}


def test_a_client_of_another_authority_is_no_client(
    world: RunningService, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path).issue("stranger")
    with (
        pytest.raises((ssl.SSLError, OSError, EOFError)),
        over_tls(world, authority, stranger) as wire,
    ):
        wire.ask("GET", "/healthz")
