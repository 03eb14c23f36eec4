"""The figures of the standards, word for word; each cites its section."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from answerable.federation.actor_claim import parse_actors
from answerable.federation.dpop import verify_proof
from answerable.federation.jwk import VerificationKey, parse_public_jwk
from answerable.federation.jwk_set import parse_key_set
from answerable.federation.jws_parsing import parse_jws
from answerable.federation.sender_constraint import check_certificate_binding
from answerable.federation.strict_json import decode_base64url
from answerable.federation.token_errors import ProofRejected, TokenRejected
from answerable.federation.token_verification import IssuerIndex, IssuerWithKeys
from answerable.model.provenance import WrittenBy
from answerable.model.token_claims import Actor
from tests.federation.sample_tokens import (
    RSA,
    document,
    issuer,
    public,
    sign,
    verify_sample,
)

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))


def each(name: str) -> Any:
    return pytest.mark.parametrize(
        "vector", [pytest.param(v, id=v["source"]) for v in VECTORS[name]]
    )


@each("signatures")
def test_a_signature_of_the_standards_holds(vector: dict[str, Any]) -> None:
    key = VerificationKey.load(parse_public_jwk(vector["jwk"]), vector["alg"])
    signed, _, signature = vector["jws"].rpartition(".")
    assert key.verify(signed.encode(), decode_base64url(signature))


@each("signatures")
def test_a_signature_of_the_standards_holds_for_nothing_else(
    vector: dict[str, Any],
) -> None:
    key = VerificationKey.load(parse_public_jwk(vector["jwk"]), vector["alg"])
    signed, _, text = vector["jws"].rpartition(".")
    signature = decode_base64url(text)
    for place in range(0, len(signature), 7):
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not key.verify(signed.encode(), bytes(changed))
    assert not key.verify(signed.encode() + b"A", signature)
    assert not key.verify(signed.encode(), signature[:-1])
    assert not key.verify(signed.encode(), signature + b"\0")


@each("refused")
def test_what_no_key_is_looked_for_is_refused_for_its_reason(
    vector: dict[str, Any],
) -> None:
    with pytest.raises(TokenRejected) as refused:
        parse_jws(vector["jws"])
    assert refused.value.reason == vector["reason"]


@each("thumbprints")
def test_a_thumbprint_is_that_of_the_standard(vector: dict[str, Any]) -> None:
    assert parse_public_jwk(vector["jwk"]).thumbprint == vector["thumbprint"]


@each("proofs")
def test_a_proof_of_the_standard_holds_in_its_minute(vector: dict[str, Any]) -> None:
    def read(now: int, **changes: str) -> Any:
        asked = {k: vector[k] for k in ("method", "url", "access_token")} | changes
        return verify_proof(
            vector["proof"],
            asked["method"],
            asked["url"],
            now,
            access_token=asked["access_token"],
            jkt="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        )

    proof = read(vector["iat"])
    assert (proof.jti, proof.iat) == (vector["jti"], vector["iat"])
    assert read(proof.expires) == proof
    for wrong in (
        {"method": "PUT"},
        {"url": vector["url"] + "/x"},
        {"access_token": "Kz"},
    ):
        with pytest.raises(ProofRejected):
            read(vector["iat"], **wrong)
    with pytest.raises(ProofRejected):
        read(proof.expires + 1)


@each("certificates")
def test_a_certificate_of_the_standard_is_the_one_bound(vector: dict[str, Any]) -> None:
    der = base64.b64decode(vector["der"])
    check_certificate_binding(vector["x5t_s256"], der)
    for other in (b"", der + b"\0", der[:-1]):
        with pytest.raises(ProofRejected):
            check_certificate_binding(vector["x5t_s256"], other)


@each("act")
def test_the_actors_of_the_standard_are_read_newest_first(
    vector: dict[str, Any],
) -> None:
    chain = parse_actors({"act": vector["act"]}, is_own_token=False)
    assert chain.actors == tuple(Actor(sub) for sub in vector["actors"])
    assert chain.written_by is WrittenBy.SELF_REPORTED


def test_the_access_token_of_rfc_9068_is_read() -> None:
    vector = VECTORS["access_token"]
    facts = vector["claims"]
    pin = issuer(iss=facts["iss"], algs=("RS256",), max_ttl=facts["exp"] - facts["iat"])
    keys = parse_key_set(document(public(RSA, kid="RjEwOwOA")), ("RS256",))
    token = sign(vector["header"], facts, RSA, "RS256")
    found = verify_sample(
        token,
        IssuerIndex(IssuerWithKeys(pin, facts["aud"], keys)),
        facts["aud"],
        facts["iat"],
    )
    assert (found.sub, found.client_id, found.jti) == (
        facts["sub"],
        facts["client_id"],
        facts["jti"],
    )
    assert found.scope == ("openid", "profile", "reademail")
    assert found.unchecked == ()
