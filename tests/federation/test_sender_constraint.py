"""Security test 12: a token is its presenter's, or it is refused."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from answerable.federation.algorithms import KINDS
from answerable.federation.claim_parsing import SKEW
from answerable.federation.dpop import WINDOW, read_proof
from answerable.federation.errors import NonceRequired, ProofRefused, Reason
from answerable.federation.jwk import read_public_jwk
from answerable.federation.sender_constraint import check_sender
from answerable.federation.strict_json import base64url
from answerable.model.claims import Binding, Presented, Proof, SenderConstrained
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
    take,
)
from tests.federation.test_jwk_set import WEAK

URL = "https://mcp.corp.example/mcp/files"
METHOD = "POST"


def thumbprint(key: Key) -> str:
    return read_public_jwk(public(key)).thumbprint


def digest(data: bytes) -> str:
    return base64url(hashlib.sha256(data).digest())


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


def shown(*proofs: str, scheme: str = "DPoP", **changes: Any) -> Presented:
    return Presented(scheme, METHOD, changes.pop("url", URL), proofs, **changes)


def check(token: str, presented: Presented, **asked: Any) -> SenderConstrained:
    now = asked.pop("now", NOW)
    return check_sender(token, take(token), presented, now, **asked)


def refused(reason: Reason, token: str, presented: Presented, **asked: Any) -> None:
    with pytest.raises(ProofRefused) as caught:
        check(token, presented, **asked)
    assert caught.value.reason is reason
    assert caught.value.wire == "invalid_token"


def test_the_holder_of_the_key_is_the_presenter() -> None:
    found = check(BOUND, shown(proof()))
    assert found.binding is Binding.DPOP
    assert found.proof == Proof(thumbprint(EC), "p1", NOW, NOW + WINDOW)


# The scheme: neither way of losing the constraint


def test_a_bound_token_is_no_bearer_token() -> None:
    refused(Reason.SCHEME, BOUND, shown(proof(), scheme="Bearer"), bearer=True)
    refused(Reason.SCHEME, BOUND, shown(scheme="Bearer"), bearer=True)
    refused(Reason.SCHEME, BOTH, shown(scheme="Bearer", certificate=CERTIFICATE))
    refused(Reason.PROOF_COUNT, BOUND, shown())


def test_an_unbound_token_is_taken_where_the_door_says_so_alone() -> None:
    found = check(BEARER, shown(scheme="Bearer"), bearer=True)
    assert found == SenderConstrained(Binding.BEARER, None)
    refused(Reason.BEARER, BEARER, shown(scheme="Bearer"))


def test_an_unbound_token_is_not_shown_as_a_bound_one() -> None:
    bearer = proof(ath=digest(BEARER.encode()))
    refused(Reason.SCHEME, BEARER, shown(bearer), bearer=True)
    refused(Reason.SCHEME, MTLS, shown(bearer, certificate=CERTIFICATE))


@pytest.mark.parametrize("scheme", ["", "Basic", "DPoP ", "Bearer DPoP", "dpo\u03c1"])
def test_another_scheme_is_refused(scheme: str) -> None:
    refused(Reason.SCHEME, BOUND, shown(proof(), scheme=scheme))
    refused(Reason.SCHEME, BEARER, shown(scheme=scheme), bearer=True)


@pytest.mark.parametrize("scheme", ["dpop", "DPOP", "DPoP"])
def test_the_case_of_a_scheme_means_nothing(scheme: str) -> None:
    assert check(BOUND, shown(proof(), scheme=scheme)).binding is Binding.DPOP


def test_there_is_one_proof() -> None:
    refused(Reason.PROOF_COUNT, BOUND, shown(proof(), proof(jti="p2")))
    refused(Reason.SEGMENTS, BOUND, shown(f"{proof()}, {proof()}"))
    two = shown(proof(), proof(), scheme="Bearer")
    refused(Reason.PROOF_COUNT, BEARER, two, bearer=True)


# Certificates (RFC 8705)


def test_a_certificate_is_the_one_the_token_is_bound_to() -> None:
    mine = shown(scheme="Bearer", certificate=CERTIFICATE)
    assert check(MTLS, mine) == SenderConstrained(Binding.MTLS, None)
    for other in (b"", CERTIFICATE[:-1], CERTIFICATE + b"\0"):
        refused(Reason.CERTIFICATE, MTLS, shown(scheme="Bearer", certificate=other))


def test_the_digest_of_no_certificate_binds_nobody() -> None:
    token = sign(header(), claims(cnf={"x5t#S256": digest(b"")}))
    refused(Reason.CERTIFICATE, token, shown(scheme="Bearer"))


def test_a_token_bound_in_both_ways_needs_both() -> None:
    one = proof(ath=digest(BOTH.encode()))
    assert check(BOTH, shown(one, certificate=CERTIFICATE)).binding is Binding.BOTH
    refused(Reason.CERTIFICATE, BOTH, shown(one))
    refused(Reason.PROOF_COUNT, BOTH, shown(certificate=CERTIFICATE))


def test_the_claims_are_those_of_the_token_shown() -> None:
    with pytest.raises(ProofRefused) as caught:
        check_sender(BOUND, take(BOTH), shown(proof()), NOW)
    assert caught.value.reason is Reason.PROOF_TOKEN


# The proof (RFC 9449 4.3)

WRONG: list[tuple[str, Callable[[], str], Reason]] = [
    ("no typ", lambda: proof({"typ": ...}), Reason.TYP),
    ("typ of a token", lambda: proof({"typ": "at+jwt"}), Reason.TYP),
    ("typ JWT", lambda: proof({"typ": "JWT"}), Reason.TYP),
    ("no key", lambda: proof({"jwk": ...}), Reason.PROOF_KEY),
    ("key is a text", lambda: proof({"jwk": "x"}), Reason.PROOF_KEY),
    ("key is a list", lambda: proof({"jwk": [public(EC)]}), Reason.PROOF_KEY),
    ("empty key", lambda: proof({"jwk": {}}), Reason.KEY_TYPE),
    (
        "private key",
        lambda: proof({"jwk": EC.as_dict(private=True)}),
        Reason.KEY_PRIVATE,
    ),
    (
        "symmetric key",
        lambda: proof({"jwk": {"kty": "oct", "k": "AAAA"}}),
        Reason.KEY_SYMMETRIC,
    ),
    ("alg none", lambda: proof({"alg": "none"}), Reason.ALG),
    ("alg HS256", lambda: proof({"alg": "HS256"}), Reason.ALG),
    ("alg of another key", lambda: proof({"alg": "RS256"}), Reason.ALG),
    ("alg of another curve", lambda: proof({"alg": "ES384"}), Reason.ALG),
    ("crit", lambda: proof({"crit": []}), Reason.CRIT),
    ("another's key", lambda: proof({"jwk": public(OTHER_EC)}), Reason.SIGNATURE),
    ("signed by another", lambda: proof(key=OTHER_EC), Reason.THUMBPRINT),
    ("other method", lambda: proof(htm="GET"), Reason.PROOF_METHOD),
    ("method in lower case", lambda: proof(htm="post"), Reason.PROOF_METHOD),
    ("no method", lambda: proof(htm=...), Reason.CLAIM_TYPE),
    ("methods", lambda: proof(htm=["POST"]), Reason.CLAIM_TYPE),
    ("no url", lambda: proof(htu=...), Reason.CLAIM_TYPE),
    ("other path", lambda: proof(htu=URL + "/x"), Reason.PROOF_URL),
    ("trailing slash", lambda: proof(htu=URL + "/"), Reason.PROOF_URL),
    ("path in capitals", lambda: proof(htu=URL.upper()), Reason.PROOF_URL),
    ("other host", lambda: proof(htu=URL.replace("corp", "evil")), Reason.PROOF_URL),
    (
        "other port",
        lambda: proof(htu=URL.replace("/mcp/", ":8443/mcp/")),
        Reason.PROOF_URL,
    ),
    ("plain http", lambda: proof(htu=URL.replace("https", "http")), Reason.PROOF_URL),
    ("user part", lambda: proof(htu=URL.replace("mcp.", "a@mcp.")), Reason.PROOF_URL),
    ("path alone", lambda: proof(htu="/mcp/files"), Reason.PROOF_URL),
    ("no iat", lambda: proof(iat=...), Reason.CLAIM_TYPE),
    ("iat is a text", lambda: proof(iat=str(NOW)), Reason.CLAIM_TYPE),
    ("iat is a fraction", lambda: proof(iat=NOW + 0.5), Reason.CLAIM_TYPE),
    ("iat is true", lambda: proof(iat=True), Reason.CLAIM_TYPE),
    ("old", lambda: proof(iat=NOW - WINDOW - 1), Reason.PROOF_AGE),
    ("of tomorrow", lambda: proof(iat=NOW + SKEW + 1), Reason.PROOF_AGE),
    ("negative", lambda: proof(iat=-1), Reason.PROOF_AGE),
    ("no jti", lambda: proof(jti=...), Reason.CLAIM_TYPE),
    ("empty jti", lambda: proof(jti=""), Reason.CLAIM_TYPE),
    ("long jti", lambda: proof(jti="j" * 1025), Reason.CLAIM_TYPE),
    ("no ath", lambda: proof(ath=...), Reason.CLAIM_TYPE),
    (
        "ath of another token",
        lambda: proof(ath=digest(MTLS.encode())),
        Reason.PROOF_TOKEN,
    ),
    ("ath is the token", lambda: proof(ath="x" * 43), Reason.PROOF_TOKEN),
    ("ath of no letters", lambda: proof(ath="\u00e9" * 43), Reason.PROOF_TOKEN),
    ("a token", lambda: BOUND, Reason.TYP),
    ("nothing", lambda: "", Reason.SIZE),
    ("too long", lambda: proof(x="a" * 20_000), Reason.SIZE),
]


@pytest.mark.parametrize(
    ("made", "reason"), [pytest.param(m, r, id=n) for n, m, r in WRONG]
)
def test_a_proof_that_is_wrong_in_one_thing_is_refused(
    made: Callable[[], str], reason: Reason
) -> None:
    refused(reason, BOUND, shown(made()))


def test_a_private_key_is_refused_even_where_it_is_empty() -> None:
    for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k"):
        refused(
            Reason.KEY_PRIVATE, BOUND, shown(proof({"jwk": public(EC) | {name: ""}}))
        )


def test_a_weak_key_proves_nothing() -> None:
    for name, key in WEAK.items():
        one = proof({"jwk": key, "alg": "RS256"}, RSA, "RS256")
        with pytest.raises(ProofRefused) as caught:
            read_proof(one, METHOD, URL, NOW)
        assert caught.value.reason is Reason.KEY_WEAK, name


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
        with pytest.raises(ProofRefused):
            check(BOUND, shown(proof(htu=url), url=url))


@pytest.mark.parametrize("iat", [NOW - WINDOW, NOW, NOW + SKEW])
def test_a_proof_is_taken_for_a_minute(iat: int) -> None:
    found = check(BOUND, shown(proof(iat=iat))).proof
    assert found is not None
    assert found.expires == iat + WINDOW
    # The pair (jkt, jti) has to be remembered just as long as the proof is taken.
    assert check(BOUND, shown(proof(iat=iat)), now=found.expires)
    refused(Reason.PROOF_AGE, BOUND, shown(proof(iat=iat)), now=found.expires + 1)


@pytest.mark.parametrize(
    "alg", ["ES256", "ES384", "ES512", "Ed25519", "EdDSA", "RS256"]
)
def test_a_key_of_any_kind_can_sign_a_proof(alg: str) -> None:
    key = KEYS[KINDS[alg]]
    found = read_proof(proof(key=key, alg=alg), METHOD, URL, NOW, jkt=thumbprint(key))
    assert found.jkt == thumbprint(key)


def test_the_algorithms_taken_can_be_fewer() -> None:
    with pytest.raises(ProofRefused) as caught:
        read_proof(proof(key=ED, alg="EdDSA"), METHOD, URL, NOW, algs=("ES256",))
    assert caught.value.reason is Reason.ALG


def test_at_a_token_endpoint_the_proof_names_the_key_to_bind() -> None:
    found = read_proof(proof(ath=...), METHOD, URL, NOW)
    assert found.jkt == thumbprint(EC)


def test_a_token_outside_of_ascii_has_no_proof() -> None:
    with pytest.raises(ProofRefused):
        read_proof(proof(), METHOD, URL, NOW, access_token="\u00e9")


NONCES = ("new", "old")


@pytest.mark.parametrize("nonce", [..., "", "ne", "newer", None, 1, ["new"], "\u00e9"])
def test_a_nonce_of_ours_is_asked_for(nonce: object) -> None:
    with pytest.raises(NonceRequired) as caught:
        check(BOUND, shown(proof(nonce=nonce)), nonce_holds=NONCES.__contains__)
    assert (caught.value.reason, caught.value.wire) == (Reason.NONCE, "use_dpop_nonce")


@pytest.mark.parametrize("nonce", NONCES)
def test_a_nonce_of_ours_is_taken(nonce: str) -> None:
    assert check(BOUND, shown(proof(nonce=nonce)), nonce_holds=NONCES.__contains__)


def test_a_nonce_is_told_to_the_holder_of_the_key_alone() -> None:
    # Whoever fails for another reason learns nothing about nonces.
    refused(
        Reason.THUMBPRINT,
        BOUND,
        shown(proof(key=OTHER_EC)),
        nonce_holds=NONCES.__contains__,
    )
