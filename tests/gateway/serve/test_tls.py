"""TLS at the gateway's own listener, with tokens that are bound to a certificate."""

import http.client
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.authority import Authority, Issued
from tests.gateway.serve.running_gateway import (
    SECONDS,
    Backend,
    bound_token,
    call,
    configuration,
    serving,
)


def settings(port: int, gateway: Issued, authority: Authority) -> dict[str, Any]:
    made = configuration(port)
    made["issuers"]["corp"]["bearer"] = False
    made["listen"]["workers"] = 2
    made["listen"]["gateway"] = [
        {
            "address": "127.0.0.1:0",
            "tls": {
                "certificate": str(gateway.certificate),
                "key": str(gateway.key),
                "client_ca": str(authority.root.certificate),
            },
        }
    ]
    return made


def calling(authority: Authority, where: str, client: Issued | None, token: str) -> Any:
    context = ssl.create_default_context(cafile=str(authority.root.certificate))
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    connection = http.client.HTTPSConnection(where, context=context, timeout=60)
    try:
        return call(connection, "read", token=token)
    finally:
        connection.close()


@dataclass
class Standing:
    """A gateway that no test ends, and whose certificates it takes."""

    authority: Authority
    gateway: str

    def asked(self, client: Issued | None, token: str) -> Any:
        return calling(self.authority, self.gateway, client, token)


@pytest.fixture(scope="module")
def standing(
    tmp_path_factory: pytest.TempPathFactory, server: Backend
) -> Iterator[Standing]:
    folder = tmp_path_factory.mktemp("standing")
    authority = Authority(folder)
    made = settings(server.server_port, authority.issue("gateway"), authority)
    with serving(folder, made, lines=2) as served:
        yield Standing(authority, served.gateway)


@pytest.mark.parametrize("who", ["ana", "ben"])
def test_a_bound_token_holds_with_its_certificate_alone(
    standing: Standing, who: str
) -> None:
    authority = standing.authority
    own, other = authority.issue(f"own-{who}"), authority.issue(f"other-{who}")
    bound = bound_token(who, own.thumbprint)
    for _ in range(8):  # the two workers take turns, and one of them relays
        assert "result" in standing.asked(own, bound)
    assert standing.asked(other, bound) == 401
    assert standing.asked(None, bound) == 401


def test_plain_text_is_no_way_in(standing: Standing) -> None:
    connection = http.client.HTTPConnection(standing.gateway, timeout=60)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        call(connection, "read")
    connection.close()


def test_a_reload_shows_the_certificate_that_is_there_now(
    tmp_path: Path, server: Backend
) -> None:
    authority, later = Authority(tmp_path), Authority(_made(tmp_path / "later"))
    own, gateway = authority.issue("own"), authority.issue("gateway")
    bound = bound_token("ana", own.thumbprint)
    made = settings(server.server_port, gateway, authority)
    with serving(tmp_path, made, lines=2) as served:
        assert "result" in calling(authority, served.gateway, own, bound)
        renewed = later.issue("gateway")
        gateway.certificate.write_bytes(renewed.certificate.read_bytes())
        gateway.key.write_bytes(renewed.key.read_bytes())
        served.reload()
        with pytest.raises(ssl.SSLCertVerificationError):
            calling(authority, served.gateway, own, bound)
        assert "result" in calling(later, served.gateway, own, bound)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_key_that_cannot_be_read_is_told_at_once(
    tmp_path: Path, server: Backend
) -> None:
    authority = Authority(tmp_path)
    gateway = authority.issue("gateway")
    gateway.key.write_text("no key")
    made = settings(server.server_port, gateway, authority)
    with serving(tmp_path, made, lines=0) as served:
        assert served.process.wait(SECONDS) == 5
    assert "cannot use" in str(served.log)
