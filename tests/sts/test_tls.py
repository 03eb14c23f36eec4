"""Client certificates: over our own TLS, and by the word of a named terminator."""

import base64
import hashlib
import json
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from answerable.federate.strict import base64url
from tests.sts.authority import Made
from tests.sts.wires import Wire
from tests.sts.world import (
    ACCESS,
    ANA,
    ROOT,
    Client,
    World,
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
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, made: Made) -> Iterator[World]:
    server, _ = made.issue("server", x509.DNSName("localhost"))
    port = free_port()
    more = f"""
    - address: 127.0.0.1:{port}
      hosts: ["localhost:{port}"]
      tls: {{certificate: {server}, key: {server}, client_ca: {made.ca}}}
  terminator: {{field: client-cert, uid: {os.getuid()}}}
"""
    world = World(tmp_path_factory.mktemp("tls"), rules=RULES, more=more)
    own_store(world.store, {ROOT: ANA})
    world.write()
    world.start()
    world.second = port  # type: ignore[attr-defined]
    yield world
    world.stop()


def over_tls(world: World, made: Made, shown: Path | None) -> Wire:
    context = ssl.create_default_context(cafile=str(made.ca))
    if shown is not None:
        context.load_cert_chain(shown)
    port = world.second  # type: ignore[attr-defined]
    plain = socket.create_connection(("127.0.0.1", port))
    return Wire(
        context.wrap_socket(plain, server_hostname="localhost"), f"localhost:{port}"
    )


def thumbprint(der: bytes) -> str:
    return base64url(hashlib.sha256(der).digest())


def test_a_token_is_bound_to_the_certificate_that_was_shown(
    world: World, made: Made
) -> None:
    """RFC 8705 3: and it is renewed with that certificate alone."""
    mine, der = made.issue("workload")
    other, _ = made.issue("other")
    client = Client(world)
    with over_tls(world, made, mine) as wire:
        token = client.get(wire, ci_token(world), audience=BOUND, proof="")
        claims = taken(world, wire, token, BOUND)
        assert claims.cnf.x5t_s256 == thumbprint(der)
        again = client.exchange(wire, token, ACCESS, audience=BOUND, proof="")
        assert (again.status, again.json["token_type"]) == (200, "Bearer")
    for shown in (other, None):
        with over_tls(world, made, shown) as wire:
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


def test_an_audience_authenticates_by_its_certificate(world: World, made: Made) -> None:
    mine, _ = made.issue("workload")
    client = Client(world)
    with over_tls(world, made, mine) as wire:
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
        shown, _ = made.issue(name, *alternative)
        with over_tls(world, made, shown) as wire:
            active[name] = wire.form("/introspect", {"token": token}).json["active"]
    expected = dict.fromkeys(names, False) | {"uri": True, "host": True}
    assert active == expected


def test_a_terminators_word_on_a_certificate_binds_as_well(
    world: World, made: Made
) -> None:
    """RFC 9440: our own user stands for the terminator here."""
    _, der = made.issue("behind")
    fields = {"Client-Cert": f":{base64.b64encode(der).decode()}:"}
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
        assert claims.cnf.x5t_s256 == thumbprint(der)
        # Whoever ends TLS is no workload, and no operator.
        assert wire.ask("GET", "/admin/state").status == 404
        body = json.dumps({"subject": "rule:ci-root"}).encode()
        assert wire.ask("POST", "/admin/kill", body).status == 404
    with world.wire() as wire:
        form["subject_token"] = ci_token(world)
        assert wire.form("/token", form, fields).json == {"error": "invalid_grant"}


def test_a_client_of_another_authority_is_no_client(
    world: World, made: Made, tmp_path: Path
) -> None:
    stranger, _ = Made(tmp_path).issue("stranger")
    with (
        pytest.raises((ssl.SSLError, OSError, EOFError)),
        over_tls(world, made, stranger) as wire,
    ):
        wire.ask("GET", "/healthz")
