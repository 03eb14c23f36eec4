"""A live scan with a GitHub App: installation tokens by its private key."""

import base64
import json
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from answerable.model.errors import EnvironmentFailure
from tests.connectors.github.fake_api import TOKEN, FakeApi, scan_live


def test_an_app_gets_tokens_of_its_installation(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GH_TOKEN")
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    (tmp_path / "app.pem").write_bytes(pem)
    sync = scan_live(api, f",app=Iv1.abc,key={tmp_path}/app.pem")
    assert sync.problems == ()
    (proof,) = api.issued
    signed, _, signature = proof.rpartition(".")
    head, claims = (json.loads(_decode(each)) for each in signed.split("."))
    assert head == {"alg": "RS256", "typ": "JWT"}
    assert claims["iss"] == "Iv1.abc"
    assert 0 < claims["exp"] - claims["iat"] <= 600
    key.public_key().verify(
        _decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    text = msgspec.json.encode(sync).decode()
    assert "installation-token" not in text
    assert TOKEN not in text


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_an_expired_installation_token_is_renewed(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    (tmp_path / "app.pem").write_bytes(pem)
    monkeypatch.setattr("answerable.connectors.github.credentials._TOKEN_SECONDS", 0)
    sync = scan_live(api, f",app=1,key={tmp_path}/app.pem")
    assert sync.problems == ()
    assert len(api.issued) > 10


@pytest.mark.parametrize("text", ["", "-----BEGIN RSA PRIVATE KEY-----\nAAAA"])
def test_a_key_that_is_none_is_said(api: FakeApi, tmp_path: Path, text: str) -> None:
    (tmp_path / "k.pem").write_text(text)
    with pytest.raises(EnvironmentFailure, match="no RSA private key"):
        scan_live(api, f",app=1,key={tmp_path}/k.pem")
