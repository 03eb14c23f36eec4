"""Tokens for tests: signed by keys made here, with any header and any payload.

What is malformed on purpose is signed all the same, so that a refusal is for what is
wrong with it and never for its signature.
"""

import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from answerable.federation.jwk_set import IssuerKeySet, parse_key_set
from answerable.federation.strict_json import encode_base64url
from answerable.federation.token_errors import TokenFault, TokenRejected
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.token_claims import SignedClaims, TokenType, TrustedIssuer

Key = ECKey | RSAKey | OKPKey

NOW = 1_800_000_000
ISS = "https://issuer.example"
AUD = "https://mcp.corp.example"
# A trust domain has JWT-SVIDs, and nothing else.
ALL = tuple(each for each in TokenType if each is not TokenType.JWT_SVID)

EC = ECKey.generate_key("P-256")
OTHER_EC = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
ED = OKPKey.generate_key("Ed25519")
# One of each kind that `algorithms.KINDS` names.
KEYS: dict[tuple[str, str], Key] = {
    ("EC", "P-256"): EC,
    ("EC", "P-384"): ECKey.generate_key("P-384"),
    ("EC", "P-521"): ECKey.generate_key("P-521"),
    ("OKP", "Ed25519"): ED,
    ("RSA", ""): RSA,
}


def public(key: Key, **members: object) -> dict[str, object]:
    return {**key.as_dict(private=False), **members}


def document(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def key_set(*keys: object, algs: tuple[str, ...] = ("ES256",)) -> IssuerKeySet:
    return parse_key_set(document(*keys), algs)


def issuer(**changes: Any) -> TrustedIssuer:
    facts: dict[str, Any] = {
        "name": "corp",
        "iss": ISS,
        "algs": ("ES256",),
        "token_types": ALL,
        "max_ttl": 3600,
    }
    return TrustedIssuer(**(facts | changes))


GOOD = key_set(public(EC, kid="k1"))
ISSUERS = IssuerIndex(IssuerWithKeys(issuer(), AUD, GOOD))


def claims(**changes: object) -> dict[str, object]:
    """Claims of an access token that is good now; `...` takes a claim away."""
    facts: dict[str, object] = {
        "iss": ISS,
        "sub": "agent:declared/deploy-bot",
        "aud": AUD,
        "client_id": "deploy-bot",
        "iat": NOW - 60,
        "exp": NOW + 540,
        "jti": "b7f1",
    }
    return {name: v for name, v in (facts | changes).items() if v is not ...}


def header(**changes: object) -> dict[str, object]:
    facts: dict[str, object] = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"}
    return {name: v for name, v in (facts | changes).items() if v is not ...}


def sign(
    head: dict[str, object] | bytes,
    payload: dict[str, object] | bytes,
    key: Key = EC,
    alg: str = "ES256",
) -> str:
    """Sign octets with an algorithm, whatever the header says."""
    parts = [
        p if isinstance(p, bytes) else json.dumps(p).encode() for p in (head, payload)
    ]
    signed = ".".join(encode_base64url(part) for part in parts)
    signature = JWSRegistry.algorithms[alg].sign(signed.encode(), key)
    return f"{signed}.{encode_base64url(signature)}"


def verify_sample(
    token: str,
    issuers: IssuerIndex = ISSUERS,
    audience: str = AUD,
    now: int = NOW,
    token_type: TokenType = TokenType.ACCESS_TOKEN,
) -> SignedClaims:
    ours = IssuerIndex(*(replace(one, audience=audience) for one in issuers))
    return verify_token(token, ours, now, token_type)


def pinned(**changes: Any) -> IssuerIndex:
    return IssuerIndex(IssuerWithKeys(issuer(**changes), AUD, GOOD))


def refused(reason: TokenFault, token: str, **asked: Any) -> TokenRejected:
    with pytest.raises(TokenRejected) as caught:
        verify_sample(token, **asked)
    assert caught.value.reason is reason
    return caught.value


def token(**changes: object) -> str:
    return sign(header(), claims(**changes))
