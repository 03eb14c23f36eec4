"""Build the audit record of a token exchange: digests, names and limits, no tokens.

Values that the requester could have written itself are under `said`. Tokens are never
recorded.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypedDict

from answerable.federation.token_exchange_decision import (
    OwnToken,
    TicketGrant,
    TokenGrantDecision,
)
from answerable.model.delegation import Delegation
from answerable.model.ids import AgentId
from answerable.model.spool_record import ExchangeRecord
from answerable.model.token_claims import Confirmation, SignedClaims
from answerable.model.token_request import TokenRequest, TokenRequestRefusal
from answerable.model.workload_attestation import Attestation
from answerable.store.token_state.replay_keys import ReplayKey

RECORD_KIND = "exchange"
MAX_SELF_REPORTED_LENGTH = 128  # characters of a requester's own name


@dataclass(frozen=True, slots=True, repr=False)
class PresentedRequest:
    """Token exchange request with the credentials presented with it.

    Attributes:
        cnf: Keys that the requester proved.
        proof: DPoP proof, valid once; None if there is none.
        attested: Attested peer process, None if there is none.
        reviewed_tokens: Digests of tokens that their API server has confirmed.
        gateway: Whether our gateway requests a token for a call that it forwards.
    """

    request: TokenRequest
    cnf: Confirmation
    proof: ReplayKey | None = None
    attested: Attestation | None = None
    reviewed_tokens: Collection[bytes] = ()
    gateway: bool = False


def build_issued_token_record(
    presented: PresentedRequest,
    subject: object,
    actor: object,
    decision: TokenGrantDecision,
    token_sha256: bytes,
) -> ExchangeRecord:
    """Build the audit record of an issued token."""
    link, rule = decision.delegation, decision.rule
    issued_claims = isinstance(subject, SignedClaims)
    return ExchangeRecord(
        **_build_credential_fields(presented, subject, actor),
        claims=decision.used if issued_claims else (),
        rule=rule.id,
        rule_digest=rule.digest,
        agent=link.agent,
        person=link.sub if link.sub.startswith("person:") else "",
        owner=link.owner,
        chain=list_delegation_agents(link),
        delegation=link.id,
        parent=link.parent,
        run=link.run,
        issued=token_sha256.hex(),
        jti=str(decision.claims["jti"]),
        audience=decision.audience,
        scopes=decision.scopes,
        expires=decision.expires,
        bound=describe_token_binding(decision.cnf),
    )


def build_refused_exchange_record(
    presented: PresentedRequest,
    subject: object,
    actor: object,
    refusal: TokenRequestRefusal,
) -> ExchangeRecord:
    """Build the audit record of a refused token exchange."""
    reason = refusal.reason + (f": {refusal.detail}" if refusal.detail else "")
    link = subject.chain[0] if isinstance(subject, OwnToken | TicketGrant) else None
    return ExchangeRecord(
        **_build_credential_fields(presented, subject, actor),
        error=refusal.error.value,
        reason=reason,
        audience=presented.request.audience[:MAX_SELF_REPORTED_LENGTH],
        agent=link.agent if link else "",
        owner=link.owner if link else "",
        chain=list_delegation_agents(link) if link else (),
        parent=link.id if link else "",
    )


def list_delegation_agents(delegation: Delegation) -> tuple[str, ...]:
    """List the agents that a delegation passed through, root first."""
    line = list(reversed(delegation.actors))
    if not delegation.sub.startswith("person:") and delegation.sub not in line:
        line.insert(0, AgentId(delegation.sub))
    return tuple(line)


def describe_token_binding(cnf: Confirmation) -> str:
    """Name the sender constraint of a token: `dpop`, `mtls` or `bearer` (none)."""
    if cnf.jkt:
        return "dpop"
    return "mtls" if cnf.x5t_s256 else "bearer"


class _RequestFields(TypedDict):
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


def _build_credential_fields(
    presented: PresentedRequest, subject: object, actor: object
) -> _RequestFields:
    """Build the record fields of the presented credentials."""
    request = presented.request
    claims = subject.claims if isinstance(subject, OwnToken) else subject
    signed = claims if isinstance(claims, SignedClaims) else None
    attested = next(
        (each for each in (subject, actor) if isinstance(each, Attestation)), None
    )
    said: tuple[tuple[str, str], ...] = ()
    if request.client_id and len(request.client_id) <= MAX_SELF_REPORTED_LENGTH:
        said = (("client_id", request.client_id),)
    return _RequestFields(
        sequence=0,
        at=0,
        id="",
        what=RECORD_KIND,
        issuer=signed.issuer if signed else "",
        kid=signed.kid if signed else "",
        subject=(
            signed.token_sha256.hex()
            if signed
            else _hash_token(request.unverified_subject)
        ),
        actor=_hash_token(request.unverified_actor),
        attested=list_attested_facts(attested) if attested else (),
        attestor=attested.attestor.value if attested else "",
        said=said,
    )


def list_attested_facts(attestation: Attestation) -> tuple[tuple[str, str], ...]:
    """List the facts about an attested process that the audit record keeps."""
    facts = {
        "advisory": "true" if attestation.advisory else "false",
        "argv_sha256": attestation.argv_sha256,
        "config_sha256": attestation.config_sha256,
        "container": attestation.container,
        "gid": str(attestation.gid),
        "invocation": attestation.invocation,
        "process": str(attestation.process),
        "program": attestation.program,
        "program_sha256": attestation.program_sha256,
        "started": attestation.started,
        "started_by": str(attestation.started_by)
        if attestation.started_by >= 0
        else "",
        "uid": str(attestation.uid),
        "unit": attestation.unit,
    }
    return tuple(pair for pair in facts.items() if pair[1])


def _hash_token(token: str) -> str:
    """Return the SHA-256 of a token, hex; empty for an empty token."""
    if not token:
        return ""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
