"""Security test 12: a token is its presenter's, or it is refused."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from answerable.federation.algorithms import KEY_TYPES
from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.dpop import PROOF_WINDOW, verify_proof
from answerable.federation.jwk import parse_public_jwk
from answerable.federation.sender_constraint import check_sender_constraint
from answerable.federation.strict_json import encode_base64url
from answerable.federation.token_errors import NonceRequired, ProofRejected, TokenFault
from answerable.model.token_claims import (
    DpopProof,
    SenderBinding,
    SenderConstrained,
    TokenPresentation,
)
from tests.federation.sample_tokens import (
    EC,
    ED,
    KEYS,
    NOW,
    OTHER_EC,
    RSA,
    Key,
    claims,
    header,
    public,
    sign,
    verify_sample,
)
from tests.federation.test_jwk_set import WEAK

URL = "https://mcp.corp.example/mcp/files"
METHOD = "POST"


def thumbprint(key: Key) -> str:
    return parse_public_jwk(public(key)).thumbprint


def digest(data: bytes) -> str:
    return encode_base64url(hashlib.sha256(data).digest())


CERTIFICATE = b"0\x82 the DER of a certificate"
BOUND = sign(header(), claims(cnf={"jkt": thumbprint(EC)}))
MTLS = sign(header(), claims(cnf={"x5t#S256": digest(CERTIFICATE)}))
BOTH = sign(
    header(),
    claims(cnf={"jkt": thumbprint(EC), "x5t#S256": digest(CERTIFICATE)}),
)
BEARER = sign(header(), claims())


def proof(
    head: dict[str, object] | None = None,
    key: Key = EC,
    alg: str = "ES256",
    **changes: object,
) -> str:
    facts: dict[str, object] = {
        "htm": METHOD,
        "htu": URL,
        "iat": NOW,
        "jti": "p1",
        "ath": digest(BOUND.encode()),
    }
    said = {"typ": "dpop+jwt", "alg": alg, "jwk": public(key)} | (head or {})
    return sign(
        {n: v for n, v in said.items() if v is not ...},
        {n: v for n, v in (facts | changes).items() if v is not ...},
        key,
        alg,
    )


def shown(*proofs: str, scheme: str = "DPoP", **changes: Any) -> TokenPresentation:
    return TokenPresentation(scheme, METHOD, changes.pop("url", URL), proofs, **changes)


def check(token: str, presented: TokenPresentation, **asked: Any) -> SenderConstrained:
    now = asked.pop("now", NOW)
    return check_sender_constraint(token, verify_sample(token), presented, now, **asked)


def refused(
    reason: TokenFault, token: str, presented: TokenPresentation, **asked: Any
) -> None:
    with pytest.raises(ProofRejected) as caught:
        check(token, presented, **asked)
    assert caught.value.reason is reason
    assert caught.value.wire == "invalid_token"


def test_the_holder_of_the_key_is_the_presenter() -> None:
    found = check(BOUND, shown(proof()))
    assert found.binding is SenderBinding.DPOP
    assert found.proof == DpopProof(thumbprint(EC), "p1", NOW, NOW + PROOF_WINDOW)


# The scheme: neither way of losing the constraint


def test_a_bound_token_is_no_bearer_token() -> None:
    refused(
        TokenFault.SCHEME, BOUND, shown(proof(), scheme="Bearer"), allow_bearer=True
    )
    refused(TokenFault.SCHEME, BOUND, shown(scheme="Bearer"), allow_bearer=True)
    refused(TokenFault.SCHEME, BOTH, shown(scheme="Bearer", certificate=CERTIFICATE))
    refused(TokenFault.PROOF_COUNT, BOUND, shown())


def test_an_unbound_token_is_taken_where_the_door_says_so_alone() -> None:
    found = check(BEARER, shown(scheme="Bearer"), allow_bearer=True)
    assert found == SenderConstrained(SenderBinding.BEARER, None)
    refused(TokenFault.BEARER, BEARER, shown(scheme="Bearer"))


def test_an_unbound_token_is_not_shown_as_a_bound_one() -> None:
    bearer = proof(ath=digest(BEARER.encode()))
    refused(TokenFault.SCHEME, BEARER, shown(bearer), allow_bearer=True)
    refused(TokenFault.SCHEME, MTLS, shown(bearer, certificate=CERTIFICATE))


@pytest.mark.parametrize("scheme", ["", "Basic", "DPoP ", "Bearer DPoP", "dpo\u03c1"])
def test_another_scheme_is_refused(scheme: str) -> None:
    refused(TokenFault.SCHEME, BOUND, shown(proof(), scheme=scheme))
    refused(TokenFault.SCHEME, BEARER, shown(scheme=scheme), allow_bearer=True)


@pytest.mark.parametrize("scheme", ["dpop", "DPOP", "DPoP"])
def test_the_case_of_a_scheme_means_nothing(scheme: str) -> None:
    assert check(BOUND, shown(proof(), scheme=scheme)).binding is SenderBinding.DPOP


def test_there_is_one_proof() -> None:
    refused(TokenFault.PROOF_COUNT, BOUND, shown(proof(), proof(jti="p2")))
    refused(TokenFault.SEGMENTS, BOUND, shown(f"{proof()}, {proof()}"))
    two = shown(proof(), proof(), scheme="Bearer")
    refused(TokenFault.PROOF_COUNT, BEARER, two, allow_bearer=True)


# Certificates (RFC 8705)


def test_a_certificate_is_the_one_the_token_is_bound_to() -> None:
    mine = shown(scheme="Bearer", certificate=CERTIFICATE)
    assert check(MTLS, mine) == SenderConstrained(SenderBinding.MTLS, None)
    for other in (b"", CERTIFICATE[:-1], CERTIFICATE + b"\0"):
        refused(TokenFault.CERTIFICATE, MTLS, shown(scheme="Bearer", certificate=other))


def test_the_digest_of_no_certificate_binds_nobody() -> None:
    token = sign(header(), claims(cnf={"x5t#S256": digest(b"")}))
    refused(TokenFault.CERTIFICATE, token, shown(scheme="Bearer"))


def test_a_token_bound_in_both_ways_needs_both() -> None:
    one = proof(ath=digest(BOTH.encode()))
    assert (
        check(BOTH, shown(one, certificate=CERTIFICATE)).binding is SenderBinding.BOTH
    )
    refused(TokenFault.CERTIFICATE, BOTH, shown(one))
    refused(TokenFault.PROOF_COUNT, BOTH, shown(certificate=CERTIFICATE))


def test_the_claims_are_those_of_the_token_shown() -> None:
    with pytest.raises(ProofRejected) as caught:
        check_sender_constraint(BOUND, verify_sample(BOTH), shown(proof()), NOW)
    assert caught.value.reason is TokenFault.PROOF_TOKEN


# The proof (RFC 9449 4.3)

WRONG: list[tuple[str, Callable[[], str], TokenFault]] = [
    ("no typ", lambda: proof({"typ": ...}), TokenFault.TYP),
    ("typ of a token", lambda: proof({"typ": "at+jwt"}), TokenFault.TYP),
    ("typ JWT", lambda: proof({"typ": "JWT"}), TokenFault.TYP),
    ("no key", lambda: proof({"jwk": ...}), TokenFault.PROOF_KEY),
    ("key is a text", lambda: proof({"jwk": "x"}), TokenFault.PROOF_KEY),
    ("key is a list", lambda: proof({"jwk": [public(EC)]}), TokenFault.PROOF_KEY),
    ("empty key", lambda: proof({"jwk": {}}), TokenFault.KEY_TYPE),
    (
        "private key",
        lambda: proof({"jwk": EC.as_dict(private=True)}),
        TokenFault.KEY_PRIVATE,
    ),
    (
        "symmetric key",
        lambda: proof({"jwk": {"kty": "oct", "k": "AAAA"}}),
        TokenFault.KEY_SYMMETRIC,
    ),
    ("alg none", lambda: proof({"alg": "none"}), TokenFault.ALG),
    ("alg HS256", lambda: proof({"alg": "HS256"}), TokenFault.ALG),
    ("alg of another key", lambda: proof({"alg": "RS256"}), TokenFault.ALG),
    ("alg of another curve", lambda: proof({"alg": "ES384"}), TokenFault.ALG),
    ("crit", lambda: proof({"crit": []}), TokenFault.CRIT),
    ("another's key", lambda: proof({"jwk": public(OTHER_EC)}), TokenFault.SIGNATURE),
    ("signed by another", lambda: proof(key=OTHER_EC), TokenFault.THUMBPRINT),
    ("other method", lambda: proof(htm="GET"), TokenFault.PROOF_METHOD),
    ("method in lower case", lambda: proof(htm="post"), TokenFault.PROOF_METHOD),
    ("no method", lambda: proof(htm=...), TokenFault.CLAIM_TYPE),
    ("methods", lambda: proof(htm=["POST"]), TokenFault.CLAIM_TYPE),
    ("no url", lambda: proof(htu=...), TokenFault.CLAIM_TYPE),
    ("other path", lambda: proof(htu=URL + "/x"), TokenFault.PROOF_URL),
    ("trailing slash", lambda: proof(htu=URL + "/"), TokenFault.PROOF_URL),
    ("path in capitals", lambda: proof(htu=URL.upper()), TokenFault.PROOF_URL),
    (
        "other host",
        lambda: proof(htu=URL.replace("corp", "evil")),
        TokenFault.PROOF_URL,
    ),
    (
        "other port",
        lambda: proof(htu=URL.replace("/mcp/", ":8443/mcp/")),
        TokenFault.PROOF_URL,
    ),
    (
        "plain http",
        lambda: proof(htu=URL.replace("https", "http")),
        TokenFault.PROOF_URL,
    ),
    (
        "user part",
        lambda: proof(htu=URL.replace("mcp.", "a@mcp.")),
        TokenFault.PROOF_URL,
    ),
    ("path alone", lambda: proof(htu="/mcp/files"), TokenFault.PROOF_URL),
    ("no iat", lambda: proof(iat=...), TokenFault.CLAIM_TYPE),
    ("iat is a text", lambda: proof(iat=str(NOW)), TokenFault.CLAIM_TYPE),
    ("iat is a fraction", lambda: proof(iat=NOW + 0.5), TokenFault.CLAIM_TYPE),
    ("iat is true", lambda: proof(iat=True), TokenFault.CLAIM_TYPE),
    ("old", lambda: proof(iat=NOW - PROOF_WINDOW - 1), TokenFault.PROOF_AGE),
    ("of tomorrow", lambda: proof(iat=NOW + CLOCK_SKEW + 1), TokenFault.PROOF_AGE),
    ("negative", lambda: proof(iat=-1), TokenFault.PROOF_AGE),
    ("no jti", lambda: proof(jti=...), TokenFault.CLAIM_TYPE),
    ("empty jti", lambda: proof(jti=""), TokenFault.CLAIM_TYPE),
    ("long jti", lambda: proof(jti="j" * 1025), TokenFault.CLAIM_TYPE),
    ("no ath", lambda: proof(ath=...), TokenFault.CLAIM_TYPE),
    (
        "ath of another token",
        lambda: proof(ath=digest(MTLS.encode())),
        TokenFault.PROOF_TOKEN,
    ),
    ("ath is the token", lambda: proof(ath="x" * 43), TokenFault.PROOF_TOKEN),
    ("ath of no letters", lambda: proof(ath="\u00e9" * 43), TokenFault.PROOF_TOKEN),
    ("a token", lambda: BOUND, TokenFault.TYP),
    ("nothing", lambda: "", TokenFault.SIZE),
    ("too long", lambda: proof(x="a" * 20_000), TokenFault.SIZE),
]


@pytest.mark.parametrize(
    ("made", "reason"), [pytest.param(m, r, id=n) for n, m, r in WRONG]
)
def test_a_proof_that_is_wrong_in_one_thing_is_refused(
    made: Callable[[], str], reason: TokenFault
) -> None:
    refused(reason, BOUND, shown(made()))


def test_a_private_key_is_refused_even_where_it_is_empty() -> None:
    for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k"):
        refused(
            TokenFault.KEY_PRIVATE,
            BOUND,
            shown(proof({"jwk": public(EC) | {name: ""}})),
        )


def test_a_weak_key_proves_nothing() -> None:
    for name, key in WEAK.items():
        one = proof({"jwk": key, "alg": "RS256"}, RSA, "RS256")
        with pytest.raises(ProofRejected) as caught:
            verify_proof(one, METHOD, URL, NOW)
        assert caught.value.reason is TokenFault.KEY_WEAK, name


ALIKE = [
    URL + "?q=1",
    URL + "#f",
    URL.replace("https://mcp", "HTTPS://MCP"),
    URL.replace("example/", "example:443/"),
    URL.replace("files", "f%69les"),
    URL.replace("/mcp/files", "/x/../mcp/files"),
    URL.replace("/mcp/files", "/./mcp/files"),
]


@pytest.mark.parametrize("url", ALIKE)
def test_a_url_is_compared_by_what_it_names(url: str) -> None:
    assert check(BOUND, shown(proof(htu=url)))
    assert check(BOUND, shown(proof(), url=url))


def test_what_is_no_url_is_no_url_on_both_sides() -> None:
    for url in ("", "/mcp/files", URL.replace("mcp.", "a@mcp.")):
        with pytest.raises(ProofRejected):
            check(BOUND, shown(proof(htu=url), url=url))


@pytest.mark.parametrize("iat", [NOW - PROOF_WINDOW, NOW, NOW + CLOCK_SKEW])
def test_a_proof_is_taken_for_a_minute(iat: int) -> None:
    found = check(BOUND, shown(proof(iat=iat))).proof
    assert found is not None
    assert found.expires == iat + PROOF_WINDOW
    # The pair (jkt, jti) has to be remembered just as long as the proof is taken.
    assert check(BOUND, shown(proof(iat=iat)), now=found.expires)
    refused(TokenFault.PROOF_AGE, BOUND, shown(proof(iat=iat)), now=found.expires + 1)


@pytest.mark.parametrize(
    "alg", ["ES256", "ES384", "ES512", "Ed25519", "EdDSA", "RS256"]
)
def test_a_key_of_any_kind_can_sign_a_proof(alg: str) -> None:
    key = KEYS[KEY_TYPES[alg]]
    found = verify_proof(proof(key=key, alg=alg), METHOD, URL, NOW, jkt=thumbprint(key))
    assert found.jkt == thumbprint(key)


def test_the_algorithms_taken_can_be_fewer() -> None:
    with pytest.raises(ProofRejected) as caught:
        verify_proof(proof(key=ED, alg="EdDSA"), METHOD, URL, NOW, algs=("ES256",))
    assert caught.value.reason is TokenFault.ALG


def test_at_a_token_endpoint_the_proof_names_the_key_to_bind() -> None:
    found = verify_proof(proof(ath=...), METHOD, URL, NOW)
    assert found.jkt == thumbprint(EC)


def test_a_token_outside_of_ascii_has_no_proof() -> None:
    with pytest.raises(ProofRejected):
        verify_proof(proof(), METHOD, URL, NOW, access_token="\u00e9")


NONCES = ("new", "old")


@pytest.mark.parametrize("nonce", [..., "", "ne", "newer", None, 1, ["new"], "\u00e9"])
def test_a_nonce_of_ours_is_asked_for(nonce: object) -> None:
    with pytest.raises(NonceRequired) as caught:
        check(BOUND, shown(proof(nonce=nonce)), is_nonce_valid=NONCES.__contains__)
    assert (caught.value.reason, caught.value.wire) == (
        TokenFault.NONCE,
        "use_dpop_nonce",
    )


@pytest.mark.parametrize("nonce", NONCES)
def test_a_nonce_of_ours_is_taken(nonce: str) -> None:
    assert check(BOUND, shown(proof(nonce=nonce)), is_nonce_valid=NONCES.__contains__)


def test_a_nonce_is_told_to_the_holder_of_the_key_alone() -> None:
    # Whoever fails for another reason learns nothing about nonces.
    refused(
        TokenFault.THUMBPRINT,
        BOUND,
        shown(proof(key=OTHER_EC)),
        is_nonce_valid=NONCES.__contains__,
    )
