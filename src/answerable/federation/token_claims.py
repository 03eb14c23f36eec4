"""Build the claims of issued tokens: our access tokens, and ID-JAGs for others.

`act` is built only here, from the delegation record, newest actor outermost (RFC 8693
4.1).
"""

from collections.abc import Mapping

import msgspec

from answerable.federation.denials import DenialReason, ExchangeDenied
from answerable.model.delegation import Delegation
from answerable.model.token_claims import Confirmation
from answerable.model.trust_rule import GrantedTokenKind

ClaimSet = Mapping[str, object]

ACCESS_TOKEN_TYP = "at+jwt"  # noqa: S105 - RFC 9068 2.1
ID_JAG_TYP = "oauth-id-jag+jwt"
MAX_TOKEN = 4096  # characters, so that it fits a field of HTTP
# Of these the header takes about 110 and the signature 86.
_MAX_PAYLOAD = (MAX_TOKEN - 256) * 3 // 4  # octets
_encode = msgspec.json.Encoder().encode
# By what a start was attested, as its name says.
_ATTESTED = {"process": "unix-peer", "run": "launcher", "ticket": "parent"}


class TokenTerms(msgspec.Struct, frozen=True, gc=False):
    """Issuer, audience, binding and lifetime of one token.

    Attributes:
        cnf: Key it is bound to.
        issued: NumericDate.
        expires: NumericDate.
    """

    iss: str
    jti: str
    audience: str
    scopes: tuple[str, ...]
    cnf: Confirmation
    issued: int
    expires: int


def build_claims(
    delegation: Delegation, terms: TokenTerms, kind: GrantedTokenKind
) -> ClaimSet:
    """Build the claims of a token, ready to sign.

    Raises:
        Refused: They exceed the size limit of a token.
    """
    claims: dict[str, object] = {
        "iss": terms.iss,
        "sub": delegation.sub,
        "aud": terms.audience,
        "client_id": str(delegation.agent),
        "iat": terms.issued,
        "nbf": terms.issued,
        "exp": terms.expires,
        "jti": terms.jti,
    }
    if terms.scopes:
        claims["scope"] = " ".join(terms.scopes)
    if terms.cnf.is_bound_to_key:
        claims["cnf"] = _build_confirmation_claim(terms.cnf)
    if delegation.actors:
        claims["act"] = _nest_actors(delegation.actors, terms.iss)
    if kind is GrantedTokenKind.ACCESS_TOKEN:
        claims["answerable"] = _build_private_claims(delegation)
    if len(_encode(claims)) > _MAX_PAYLOAD:
        raise ExchangeDenied(DenialReason.TOO_LARGE)
    return claims


def attestor_from_run_id(run: str) -> str:
    """Return the attestor in a run id; `issuer` if a token started the run."""
    return _ATTESTED.get(run.partition(":")[0], "issuer")


def _nest_actors(actors: tuple[str, ...], iss: str) -> dict[str, object]:
    """Build the nested `act` claim from actors, newest first."""
    inner: dict[str, object] = {}
    for actor in reversed(actors):
        outer: dict[str, object] = {"sub": actor, "iss": iss, "entity": actor}
        if inner:
            outer["act"] = inner
        inner = outer
    return inner


def _build_private_claims(delegation: Delegation) -> dict[str, object]:
    """Build our private claims: agent, owner, rule and delegation."""
    return {
        "agent": str(delegation.agent),
        "instance": delegation.run,
        "owner": delegation.owner,
        "rule": delegation.rule,
        "rule_hash": delegation.rule_digest,
        "dlg": delegation.id,
        "depth": delegation.depth,
        "attest": attestor_from_run_id(delegation.run),
    }


def _build_confirmation_claim(cnf: Confirmation) -> dict[str, str]:
    """Build the `cnf` claim of a key thumbprint or a certificate."""
    methods = {"jkt": cnf.jkt, "x5t#S256": cnf.x5t_s256}
    return {name: digest for name, digest in methods.items() if digest}
