"""Rules, workloads and requests from few names, so that they meet.

A `Pick` chooses: Hypothesis where a law is shrunk, a seeded generator where thousands of
chains are walked.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hypothesis import strategies as st

from answerable.federate.basis import Acting, Asked, Handed, Held, Subject
from answerable.federate.delegating import Chain, Portion, part_of, root_of, ticket_of
from answerable.federate.exchange import Ids
from answerable.federate.minting import Term, claims_of
from answerable.federate.reading import read_leaves
from answerable.federate.refusing import Refused
from answerable.federate.rules.digest import digest
from answerable.federate.rules.table import Rules
from answerable.federate.standing import Standing
from answerable.model.attestation import Attestation, Attestor, Process
from answerable.model.claims import (
    ActChain,
    Confirmation,
    Issuer,
    SignedClaims,
    TokenType,
)
from answerable.model.config import PinnedIssuer
from answerable.model.exchange import GrantType, TokenRequest
from answerable.model.ids import AgentId, PersonId
from answerable.model.rule import (
    Bind,
    Granted,
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RuleSubject,
    TokenGrant,
    TrustRule,
)
from answerable.model.written import WrittenBy

T = TypeVar("T")
Pick = Callable[[Sequence[T]], T]

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
IDS = Ids("d" * 32, "e" * 32)
OWNERS = dict.fromkeys(AGENTS, ANA)


def pinned(name: str, iss: str, person: str = "", **pin: Any) -> PinnedIssuer:
    types = tuple(each for each in TokenType if each is not TokenType.JWT_SVID)
    made = Issuer(name, iss, ("ES256",), types, 3600, **pin)
    return PinnedIssuer(made, URL, "discovery", bearer=False, person=person)


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
        "leaves": read_leaves(payload),
        "unchecked": (),
        "token_sha256": hashlib.sha256(repr(payload).encode()).digest(),
    }
    return SignedClaims(**(usual | facts))


def peer(**changes: Any) -> Attestation:
    usual: dict[str, Any] = {
        "attestor": Attestor.UNIX_PEER,
        "process": Process("b" * 32, 100, 5),
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
    return replace(made, digest=digest(made))


def standing(*rules: TrustRule, **changes: Any) -> Standing:
    usual: dict[str, Any] = {"issuers": ISSUERS, "owners": OWNERS}
    return Standing(url=URL, rules=Rules(rules), **(usual | changes))


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
    subject: Subject,
    actor: Acting | None = None,
    shown: Confirmation = KEY,
    **changes: Any,
) -> Asked:
    return Asked(request(**changes), subject, actor, shown)


def ours(chain: Chain, **changes: Any) -> Held:
    """The token that we gave under the first of these delegations."""
    link = chain[0]
    term = Term(URL, "j2", AUDIENCES[0], (), link.cnf, NOW - 5, NOW + 300)
    payload = dict(claims_of(link, term, Granted.ACCESS_TOKEN))
    facts = {"token_type": TokenType.ACCESS_TOKEN, "cnf": link.cnf, "sub": link.sub}
    facts |= {"aud": term.audience}
    return Held(replace(signed(payload, "ours", **facts), **changes), chain)


def chain_of(
    rule: TrustRule,
    *agents: AgentId,
    cnf: Confirmation = KEY,
    sub: str = "",
    owners: dict[AgentId, PersonId] = OWNERS,
) -> Chain:
    """A chain as it would be on record, the newest first."""
    link = root_of(
        rule,
        "1" * 32,
        sub=sub or rule.agent,
        owner=owners.get(rule.agent, ANA),
        run="process:b/100/5",
        cnf=cnf,
        now=NOW - 60,
        expires=NOW + 840,
    )
    chain: Chain = (link,)
    for number, agent in enumerate(agents, 2):
        portion = Portion(agent, "", None, None, 600)
        owner = owners.get(agent, ANA)
        id, run = str(number) * 32, f"ticket:{number}"
        link = part_of(link, portion, id, owner=owner, run=run, cnf=cnf, now=NOW - 30)
        chain = (link, *chain)
    return chain


def subset(pick: Pick[Any], things: Sequence[T]) -> tuple[T, ...]:
    return tuple(each for each in things if pick((True, False)))


def some_rule(pick: Pick[Any], number: int) -> TrustRule:
    match pick("iiijpl"):
        case "i":
            equal: list[Any] = [(("repository_id",), pick(("1", "2", 1, True)))]
            if pick((True, False)):
                equal.append((("x", "ref"), pick(("main", ("main",), ("main", 1)))))
            if pick((True, False)):
                equal.append((("n",), pick((1, True))))
            globs = ((("wf",), pick(("acme/*/x", "acme/*", "*"))),)
            subject: RuleSubject = IssuedSubject(
                "gh", tuple(equal), globs if pick((True, False)) else ()
            )
        case "j":
            subject = IssuedSubject("corp", ((("client_id",), pick(("cli", "other"))),))
        case "p":
            unit = pick(("", "a.service"))
            subject = PeerSubject(pick((0, 1000)), pick((None, 1000)), unit)
        case _:
            person = pick(("", ANA, BEN))
            program = pick(("", "/bin/agent", "/bin/other"))
            runs_as = pick((None, None, 1500, 0))
            subject = LaunchedSubject(1000, person, runs_as, program)
    grants = {
        (audience, gives): TokenGrant(
            audience,
            subset(pick, SCOPES),
            pick((60, 300, 600)),
            pick((Bind.DPOP, Bind.DPOP, Bind.MTLS, Bind.BEARER)),
            gives,
            gateway=pick((*(False,) * 5, True)),
        )
        for audience, gives in (
            (pick(AUDIENCES), pick((*(Granted.ACCESS_TOKEN,) * 3, Granted.ID_JAG)))
            for _ in range(pick((1, 2, 3)))
        )
    }
    return rule(
        f"r{number}",
        subject,
        *grants.values(),
        agent=pick((A, A, B)),
        delegate_to=pick(((), (B, C), AGENTS, AGENTS)),
        on_behalf_of=pick(((), ("corp",), ("corp",))),
    )


def some_standing(pick: Pick[Any]) -> Standing:
    rules = tuple(some_rule(pick, number) for number in range(pick((1, 2, 3))))
    owners = {agent: pick((ANA, ANA, ANA, BEN)) for agent in AGENTS}
    if pick((False, False, False, True)):
        del owners[pick(AGENTS)]
    kills: frozenset[str] = frozenset()
    if pick((False, False, False, True)):
        named = (A, B, ANA, BEN, "rule:r0", "rule:r1", "issuer:gh", "run:" + "1" * 32)
        kills = frozenset({pick((*named, "run:0a"))})
    gateways = pick((frozenset({GATEWAY}), frozenset({GATEWAY}), frozenset()))
    return standing(*rules, owners=owners, kills=kills, gateways=gateways)


def _some_chain(pick: Pick[Any], world: Standing) -> Chain:
    rules = tuple(world.rules)
    owners = {agent: world.owners.get(agent, ANA) for agent in AGENTS}
    agents = pick(((), (), (C,), (C, D), (C, D, E)))
    sub = pick(("", "", ANA))
    cnf = pick((KEY, KEY, KEY, MTLS, BOTH, NOTHING))
    chain = chain_of(pick(rules), *agents, cnf=cnf, sub=sub, owners=owners)
    changes: list[dict[str, Any]] = [{}] * 24
    changes += [
        {"rule_digest": "0" * 64},
        {"expires": NOW},
        {"parent": "9" * 32},
        {"depth": 2},
        {"owner": BEN},
        {"cnf": OTHER},
        {"audiences": AUDIENCES[1:]},
        {"scopes": ((AUDIENCES[0], "r"),)},
    ]
    return (replace(chain[0], **pick(changes)), *chain[1:])


def some_asked(pick: Pick[Any], world: Standing) -> Asked:
    return Asked(
        request(
            requested_type=pick((*(TokenType.ACCESS_TOKEN,) * 4, TokenType.ID_JAG)),
            audience=pick((AUDIENCES[0], *AUDIENCES, "", "", "https://else.example")),
            scopes=pick(((), (), ("r",), ("w", "r"), ("y",))),
            client_id=pick(("", "cli", "other")),
        ),
        _some_subject(pick, world),
        _some_actor(pick, world),
        pick((*(KEY,) * 6, *(BOTH,) * 4, OTHER, MTLS, NOTHING, NOTHING)),
        gateway=pick((*(False,) * 9, True)),
    )


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
            for path, value in equal:
                leaf = list(value) if isinstance(value, tuple) else value
                payload |= {path[0]: leaf if len(path) == 1 else {path[1]: leaf}}
            kind = TokenType.ID_JAG if issuer == "corp" else TokenType.JWT
            return signed(payload, issuer, token_type=kind)


def _some_subject(pick: Pick[Any], world: Standing) -> Subject:
    match pick("ffffffwjiiiphhhhtttt"):
        case "f":
            return fitting(pick(tuple(world.rules)))
        case "w":
            cnf = pick((*(NOTHING,) * 5, KEY, OTHER))
            return signed(
                _some_claims(pick), cnf=cnf, exp=NOW + pick((900, 900, 30, 0))
            )
        case "j":
            return _some_person(pick, TokenType.ID_JAG)
        case "i":
            return _some_person(pick, TokenType.ID_TOKEN)
        case "p":
            return _some_peer(pick)
        case "h":
            changes = pick(([{}] * 8) + [{"sub": "agent:x"}, {"iss": "https://x"}])
            return ours(_some_chain(pick, world), **changes)
        case _:
            return _some_ticket(pick, world)


def _some_actor(pick: Pick[Any], world: Standing) -> Acting | None:
    if pick("nnny") == "n":
        return None
    match pick("pffhhh"):
        case "p":
            return _some_peer(pick)
        case "f":
            found = fitting(pick(tuple(world.rules)))
            return found if isinstance(found, Attestation) else None
        case _:
            return ours(_some_chain(pick, world))


def _some_claims(pick: Pick[Any]) -> dict[str, object]:
    claims: dict[str, object] = {"repository_id": pick(("1", "2", 1, True, ["1"]))}
    claims["n"] = pick((1, True))
    if pick((True, False)):
        claims["x"] = {"ref": pick(("main", ["main"], ["main", 1], ["main", True]))}
    if pick((True, False)):
        claims["wf"] = pick(("acme/b/x", "acme/b", "acme", "x\n", 7))
    return claims


def _some_person(pick: Pick[Any], token_type: TokenType) -> SignedClaims:
    payload: dict[str, object] = {
        "client_id": pick(("cli", "cli", "other")),
        "email": pick(("Ana@example.com", "ben@example.com", "\u0430na@x", 7)),
    }
    if pick((True, False)):
        payload["email_verified"] = pick((True, True, False, "true", 1))
    return signed(payload, "corp", token_type=token_type)


def _some_peer(pick: Pick[Any]) -> Attestation:
    if pick((True, False)):
        unit = pick(("", "a.service"))
        return peer(uid=pick((0, 1000)), gid=pick((0, 1000)), unit=unit)
    program = pick(("/bin/agent", "/bin/other"))
    return launched(uid=pick((0, 1500)), agent=pick((A, B)), started=program)


def _some_ticket(pick: Pick[Any], world: Standing) -> Subject:
    chain = _some_chain(pick, world)
    parent = chain[0]
    scopes = subset(pick, parent.scopes)
    audiences = tuple({audience for audience, _ in scopes}) or None
    portion = Portion(pick((B, C, D, F)), KEY.jkt, audiences, scopes, pick((30, 600)))
    lets_all = replace(next(iter(world.rules)), delegate_to=AGENTS)
    try:
        ticket = ticket_of(parent, portion, "f" * 64, lets_all, NOW)
    except Refused:
        return ours(chain)
    changes: list[dict[str, Any]] = [{}] * 16
    changes += [{"jkt": OTHER.jkt}, {"jkt": ""}, {"expires": NOW}, {"ttl": 0}]
    changes += [{"parent": "8" * 32}, {"audiences": (*parent.audiences, "https://z")}]
    changes += [{"scopes": ((parent.audiences[0], "y"),)}, {"audiences": ()}]
    return Handed(replace(ticket, **pick(changes)), chain)


@dataclass(frozen=True)
class Case:
    """One request in one world."""

    asked: Asked
    standing: Standing


def some_case(pick: Pick[Any]) -> Case:
    world = some_standing(pick)
    return Case(some_asked(pick, world), world)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    def pick(things: Sequence[Any]) -> Any:
        return draw(st.sampled_from(things))

    return some_case(pick)
