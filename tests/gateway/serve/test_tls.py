"""TLS at the gateway's own listener, with tokens that are bound to a certificate."""

import hashlib
import http.client
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from answerable.federate.strict import base64url
from tests.gateway.serve.stage import Backend, bound_token, call, configuration, serving

NAMES = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]


@dataclass
class Issued:
    """A certificate with its key, as files."""

    certificate: Path
    key: Path

    @property
    def thumbprint(self) -> str:
        read = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        return base64url(hashlib.sha256(read.public_bytes(Encoding.DER)).digest())


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
        self.root = self._issue("ca", self.key, self.name, is_ca=True)

    def issue(self, name: str) -> Issued:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key = ec.generate_private_key(ec.SECP256R1())
        return self._issue(name, key, subject, is_ca=False)

    def _issue(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        subject: x509.Name,
        *,
        is_ca: bool,
    ) -> Issued:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), True)
            .add_extension(x509.SubjectAlternativeName(NAMES), False)
            .sign(self.key, hashes.SHA256())
        )
        issued = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        issued.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        issued.key.write_bytes(
            key.private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
        )
        return issued


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
    connection = http.client.HTTPSConnection(where, context=context, timeout=30)
    try:
        return call(connection, "read", token=token)
    finally:
        connection.close()


@pytest.mark.parametrize("who", ["ana", "ben"])
def test_a_bound_token_holds_with_its_certificate_alone(
    tmp_path: Path, server: Backend, who: str
) -> None:
    authority = Authority(tmp_path)
    own, other = authority.issue("own"), authority.issue("other")
    bound = bound_token(who, own.thumbprint)
    made = settings(server.server_port, authority.issue("gateway"), authority)
    with serving(tmp_path, made, lines=2) as served:
        for _ in range(8):  # the two workers take turns, and one of them relays
            answer = calling(authority, served.gateway, own, bound)
            assert "result" in answer
        assert calling(authority, served.gateway, other, bound) == 401
        assert calling(authority, served.gateway, None, bound) == 401


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


def test_plain_text_is_no_way_in(tmp_path: Path, server: Backend) -> None:
    authority = Authority(tmp_path)
    made = settings(server.server_port, authority.issue("gateway"), authority)
    with (
        serving(tmp_path, made, lines=2) as served,
        pytest.raises((ConnectionError, http.client.HTTPException)),
    ):
        served.call("read")


def test_a_key_that_cannot_be_read_is_told_at_once(
    tmp_path: Path, server: Backend
) -> None:
    authority = Authority(tmp_path)
    gateway = authority.issue("gateway")
    gateway.key.write_text("no key")
    made = settings(server.server_port, gateway, authority)
    with serving(tmp_path, made, lines=0) as served:
        assert served.process.wait(20) == 5
    assert "cannot use" in str(served.log)
