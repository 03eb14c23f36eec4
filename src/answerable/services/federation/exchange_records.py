"""Evidence records of token exchange requests: digests, names and limits, no tokens.

Values that the requester could have written itself are under `said`. Tokens are never
recorded.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypedDict

from answerable.federation.token_exchange import Handed, Held, Minting
from answerable.model.attestation import Attestation
from answerable.model.claims import Confirmation, SignedClaims
from answerable.model.delegation import Delegation
from answerable.model.exchange import Refusal, TokenRequest
from answerable.model.ids import AgentId
from answerable.model.spool_record import Exchanged
from answerable.store.token_state.interface import Use

WHAT = "exchange"
LONGEST_SAID = 128  # characters of a requester's own name


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """Token exchange request with the credentials presented with it.

    Attributes:
        cnf: Keys that the requester proved.
        proof: DPoP proof, valid once; None if there is none.
        attested: Attested peer process, None if there is none.
        reviewed: Digests of tokens that their API server has confirmed.
        gateway: Whether our gateway requests a token for a call that it forwards.
    """

    request: TokenRequest
    cnf: Confirmation
    proof: Use | None = None
    attested: Attestation | None = None
    reviewed: Collection[bytes] = ()
    gateway: bool = False


def given_record(
    shown: Shown,
    subject: object,
    actor: object,
    minting: Minting,
    issued: bytes,
) -> Exchanged:
    """Build the record of an issued token with digest `issued`."""
    link, rule = minting.delegation, minting.rule
    issued_claims = isinstance(subject, SignedClaims)
    return Exchanged(
        **_begun(shown, subject, actor),
        claims=minting.used if issued_claims else (),
        rule=rule.id,
        rule_digest=rule.digest,
        agent=link.agent,
        person=link.sub if link.sub.startswith("person:") else "",
        owner=link.owner,
        chain=chain_of(link),
        delegation=link.id,
        parent=link.parent,
        run=link.run,
        issued=issued.hex(),
        jti=str(minting.claims["jti"]),
        audience=minting.audience,
        scopes=minting.scopes,
        expires=minting.expires,
        bound=bound_by(minting.cnf),
    )


def refused_record(
    shown: Shown, subject: object, actor: object, refusal: Refusal
) -> Exchanged:
    """Build the record of a refused request."""
    reason = refusal.reason + (f": {refusal.detail}" if refusal.detail else "")
    link = subject.chain[0] if isinstance(subject, Held | Handed) else None
    return Exchanged(
        **_begun(shown, subject, actor),
        error=refusal.error.value,
        reason=reason,
        audience=shown.request.audience[:LONGEST_SAID],
        agent=link.agent if link else "",
        owner=link.owner if link else "",
        chain=chain_of(link) if link else (),
        parent=link.id if link else "",
    )


def chain_of(link: Delegation) -> tuple[str, ...]:
    """List the agents of a delegation, root first."""
    line = list(reversed(link.actors))
    if not link.sub.startswith("person:") and link.sub not in line:
        line.insert(0, AgentId(link.sub))
    return tuple(line)


def bound_by(cnf: Confirmation) -> str:
    """Name the sender constraint of a token."""
    if cnf.jkt:
        return "dpop"
    return "mtls" if cnf.x5t_s256 else "bearer"


class _Begun(TypedDict):
    """Record fields that describe the presented credentials."""

    sequence: int
    at: int
    id: str
    what: str
    issuer: str
    kid: str
    subject: str
    actor: str
    attested: tuple[tuple[str, str], ...]
    attestor: str
    said: tuple[tuple[str, str], ...]


def _begun(shown: Shown, subject: object, actor: object) -> _Begun:
    """Build the record fields of the presented credentials."""
    request = shown.request
    claims = subject.claims if isinstance(subject, Held) else subject
    signed = claims if isinstance(claims, SignedClaims) else None
    attested = next(
        (each for each in (subject, actor) if isinstance(each, Attestation)), None
    )
    said: tuple[tuple[str, str], ...] = ()
    if request.client_id and len(request.client_id) <= LONGEST_SAID:
        said = (("client_id", request.client_id),)
    return _Begun(
        sequence=0,
        at=0,
        id="",
        what=WHAT,
        issuer=signed.issuer if signed else "",
        kid=signed.kid if signed else "",
        subject=(
            signed.token_sha256.hex() if signed else _digest(request.unverified_subject)
        ),
        actor=_digest(request.unverified_actor),
        attested=facts_of(attested) if attested else (),
        attestor=attested.attestor.value if attested else "",
        said=said,
    )


def facts_of(attested: Attestation) -> tuple[tuple[str, str], ...]:
    """List the facts of an attestation that evidence keeps."""
    facts = {
        "advisory": "true" if attested.advisory else "false",
        "argv_sha256": attested.argv_sha256,
        "config_sha256": attested.config_sha256,
        "container": attested.container,
        "gid": str(attested.gid),
        "invocation": attested.invocation,
        "process": str(attested.process),
        "program": attested.program,
        "program_sha256": attested.program_sha256,
        "started": attested.started,
        "started_by": str(attested.started_by) if attested.started_by >= 0 else "",
        "uid": str(attested.uid),
        "unit": attested.unit,
    }
    return tuple(pair for pair in facts.items() if pair[1])


def _digest(token: str) -> str:
    if not token:
        return ""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
