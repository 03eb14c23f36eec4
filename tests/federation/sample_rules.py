"""Rules, workloads and requests from few names, so that they meet."""

import hashlib
from dataclasses import replace
from typing import Any

from answerable.federation.claim_parsing import flatten_claims
from answerable.federation.delegation_source import (
    ExchangeActor,
    ExchangeSubject,
    OwnToken,
    VerifiedRequest,
)
from answerable.federation.delegations import (
    DelegationChain,
    DelegationRequest,
    open_child_delegation,
    open_root_delegation,
)
from answerable.federation.exchange_inputs import TrustState
from answerable.federation.token_claims import TokenTerms, build_claims
from answerable.federation.token_exchange_decision import FreshIds
from answerable.federation.trust_rules.rule_digest import rule_digest
from answerable.federation.trust_rules.rule_index import RuleIndex
from answerable.model.config import IssuerConfig
from answerable.model.ids import AgentId, PersonId
from answerable.model.provenance import WrittenBy
from answerable.model.token_claims import (
    ActChain,
    Confirmation,
    SignedClaims,
    TokenType,
    TrustedIssuer,
)
from answerable.model.token_request import GrantType, TokenRequest
from answerable.model.trust_rule import (
    GrantedTokenKind,
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RuleSubject,
    TokenGrant,
    TrustRule,
)
from answerable.model.workload_attestation import Attestation, Attestor, ProcessIdentity

NOW = 1_800_000_000
URL = "https://sts.example"
A, B, C, D, E, F = (AgentId(f"agent:declared/{name}") for name in "abcdef")
AGENTS = (A, B, C, D, E, F)
ANA, BEN = PersonId("person:ana@example.com"), PersonId("person:ben@example.com")
AUDIENCES = ("https://u.example", "https://v.example", "https://w.example")
GATEWAY = AUDIENCES[0]
SCOPES = ("r", "w", "x")
KEY, OTHER = Confirmation(jkt="k" * 43), Confirmation(jkt="o" * 43)
MTLS, BOTH = Confirmation("", "c" * 43), Confirmation("k" * 43, "c" * 43)
NOTHING = Confirmation()
IDS = FreshIds("d" * 32, "e" * 32)
OWNERS = dict.fromkeys(AGENTS, ANA)


def pinned(name: str, iss: str, person: str = "", **pin: Any) -> IssuerConfig:
    types = tuple(each for each in TokenType if each is not TokenType.JWT_SVID)
    made = TrustedIssuer(name, iss, ("ES256",), types, 3600, **pin)
    return IssuerConfig(made, URL, "discovery", bearer=False, person=person)


ISSUERS = {
    each.pin.name: each
    for each in (
        pinned("gh", "https://issuer.example"),
        pinned("corp", "https://login.example", "email"),
        pinned("ours", URL, ours=True),
    )
}


def signed(
    payload: dict[str, object], issuer: str = "gh", **facts: Any
) -> SignedClaims:
    """What `verify` would make of these claims."""
    usual: dict[str, Any] = {
        "token_type": TokenType.JWT,
        "issuer": issuer,
        "iss": ISSUERS[issuer].pin.iss,
        "sub": str(payload.get("sub", "workload")),
        "aud": URL,
        "exp": NOW + 900,
        "iat": NOW - 10,
        "nbf": None,
        "jti": "j1",
        "client_id": str(payload.get("client_id", "")),
        "scope": (),
        "cnf": NOTHING,
        "act": ActChain((), WrittenBy.SELF_REPORTED),
        "kid": "k1",
        "alg": "ES256",
        "leaves": flatten_claims(payload),
        "unchecked": (),
        "token_sha256": hashlib.sha256(repr(payload).encode()).digest(),
        "payload_sha256": hashlib.sha256(repr(payload).encode()).digest(),
    }
    return SignedClaims(**(usual | facts))


def peer(**changes: Any) -> Attestation:
    usual: dict[str, Any] = {
        "attestor": Attestor.UNIX_PEER,
        "process": ProcessIdentity("b" * 32, 100, 5),
        "uid": 1000,
        "gid": 1000,
        "unit": "",
        "container": "",
        "program": "/bin/python3",
        "program_sha256": "",
        "run": "process:b/100/5",
        "agent": "",
        "started_by": -1,
        "argv_sha256": "",
        "config_sha256": "",
        "advisory": False,
        "proves": (),
        "does_not_prove": (),
    }
    return Attestation(**(usual | changes))


def launched(**changes: Any) -> Attestation:
    facts = {"attestor": Attestor.LAUNCHER, "agent": A, "started_by": 1000, "uid": 1500}
    return peer(**(facts | {"run": "run:0a", "started": "/bin/agent"} | changes))


def rule(
    id: str = "r1",
    subject: RuleSubject | None = None,
    *grants: TokenGrant,
    agent: AgentId = A,
    delegate_to: tuple[AgentId, ...] = (),
    on_behalf_of: tuple[str, ...] = (),
) -> TrustRule:
    made = TrustRule(
        id=id,
        subject=subject or IssuedSubject("gh", ((("repository_id",), "1"),)),
        agent=agent,
        grants=grants or (TokenGrant(AUDIENCES[0], ("r", "w")),),
        delegate_to=delegate_to,
        on_behalf_of=on_behalf_of,
    )
    return replace(made, digest=rule_digest(made))


def standing(*rules: TrustRule, **changes: Any) -> TrustState:
    usual: dict[str, Any] = {"issuers": ISSUERS, "owners": OWNERS}
    return TrustState(url=URL, rules=RuleIndex(rules), **(usual | changes))


def request(**changes: Any) -> TokenRequest:
    usual: dict[str, Any] = {
        "grant_type": GrantType.TOKEN_EXCHANGE,
        "unverified_subject": "s",
        "subject_type": TokenType.JWT.value,
        "unverified_actor": "",
        "actor_type": "",
        "requested_type": TokenType.ACCESS_TOKEN,
        "audience": AUDIENCES[0],
        "scopes": (),
        "client_id": "",
    }
    return TokenRequest(**(usual | changes))


def asked(
    subject: ExchangeSubject,
    actor: ExchangeActor | None = None,
    shown: Confirmation = KEY,
    **changes: Any,
) -> VerifiedRequest:
    return VerifiedRequest(request(**changes), subject, actor, shown)


def ours(chain: DelegationChain, **changes: Any) -> OwnToken:
    """The token that we gave under the first of these delegations."""
    link = chain[0]
    term = TokenTerms(URL, "j2", AUDIENCES[0], (), link.cnf, NOW - 5, NOW + 300)
    payload = dict(build_claims(link, term, GrantedTokenKind.ACCESS_TOKEN))
    facts = {"token_type": TokenType.ACCESS_TOKEN, "cnf": link.cnf, "sub": link.sub}
    facts |= {"aud": term.audience}
    return OwnToken(replace(signed(payload, "ours", **facts), **changes), chain)


def chain_of(
    rule: TrustRule,
    *agents: AgentId,
    cnf: Confirmation = KEY,
    sub: str = "",
    owners: dict[AgentId, PersonId] = OWNERS,
) -> DelegationChain:
    """A chain as it would be on record, the newest first."""
    link = open_root_delegation(
        rule,
        "1" * 32,
        sub=sub or rule.agent,
        owner=owners.get(rule.agent, ANA),
        run="process:b/100/5",
        cnf=cnf,
        now=NOW - 60,
        expires=NOW + 840,
    )
    chain: DelegationChain = (link,)
    for number, agent in enumerate(agents, 2):
        portion = DelegationRequest(agent, "", None, None, 600)
        owner = owners.get(agent, ANA)
        id, run = str(number) * 32, f"ticket:{number}"
        link = open_child_delegation(
            link, portion, id, owner=owner, run=run, cnf=cnf, now=NOW - 30
        )
        chain = (link, *chain)
    return chain


def fitting(rule: TrustRule) -> SignedClaims | Attestation:
    """A workload that a rule speaks of."""
    match rule.subject:
        case PeerSubject(uid, gid, unit):
            return peer(uid=uid, gid=gid or 0, unit=unit)
        case LaunchedSubject(by, _, runs_as, program):
            uid = 1500 if runs_as is None else runs_as
            started = program or "/bin/agent"
            agent = rule.agent
            return launched(uid=uid, agent=agent, started_by=by, started=started)
        case IssuedSubject(issuer, equal):
            payload: dict[str, object] = {"wf": "acme/x", "email": "ana@example.com"}
            payload["email_verified"] = True
            for path, value in equal:
                leaf = list(value) if isinstance(value, tuple) else value
                payload |= {path[0]: leaf if len(path) == 1 else {path[1]: leaf}}
            kind = TokenType.ID_JAG if issuer == "corp" else TokenType.JWT
            return signed(payload, issuer, token_type=kind)
