"""Worlds and requests at random.

A `Pick` chooses: Hypothesis where a law is shrunk, a seeded generator where thousands of
chains are walked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hypothesis import strategies as st

from answerable.federation.delegation_source import (
    ExchangeActor,
    ExchangeSubject,
    TicketGrant,
    VerifiedRequest,
)
from answerable.federation.delegations import (
    DelegationChain,
    DelegationRequest,
    issue_ticket,
)
from answerable.federation.denials import ExchangeDenied
from answerable.federation.exchange_inputs import TrustState
from answerable.model.token_claims import SignedClaims, TokenType
from answerable.model.token_request import GrantType
from answerable.model.trust_rule import (
    GrantedTokenKind,
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RequiredBinding,
    RuleSubject,
    TokenGrant,
    TrustRule,
)
from answerable.model.workload_attestation import Attestation
from tests.federation.sample_rules import (
    AGENTS,
    ANA,
    AUDIENCES,
    BEN,
    BOTH,
    GATEWAY,
    KEY,
    MTLS,
    NOTHING,
    NOW,
    OTHER,
    SCOPES,
    A,
    B,
    C,
    D,
    E,
    F,
    chain_of,
    fitting,
    launched,
    ours,
    peer,
    request,
    rule,
    signed,
    standing,
)

T = TypeVar("T")
Pick = Callable[[Sequence[T]], T]


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
            pick(
                (
                    RequiredBinding.DPOP,
                    RequiredBinding.DPOP,
                    RequiredBinding.MTLS,
                    RequiredBinding.BEARER,
                )
            ),
            gives,
            gateway=pick((*(False,) * 5, True)),
        )
        for audience, gives in (
            (
                pick(AUDIENCES),
                pick((*(GrantedTokenKind.ACCESS_TOKEN,) * 3, GrantedTokenKind.ID_JAG)),
            )
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


def some_standing(pick: Pick[Any]) -> TrustState:
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


def _some_chain(pick: Pick[Any], world: TrustState) -> DelegationChain:
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


def some_asked(pick: Pick[Any], world: TrustState) -> VerifiedRequest:
    return VerifiedRequest(
        request(
            requested_type=pick((*(TokenType.ACCESS_TOKEN,) * 4, TokenType.ID_JAG)),
            audience=pick((AUDIENCES[0], *AUDIENCES, "", "", "https://else.example")),
            scopes=pick(((), (), ("r",), ("w", "r"), ("y",))),
            client_id=pick(("", "", "cli", "other", A)),
            grant_type=pick((*(GrantType.TOKEN_EXCHANGE,) * 12, *GrantType)),
        ),
        _some_subject(pick, world),
        _some_actor(pick, world),
        pick((*(KEY,) * 6, *(BOTH,) * 4, OTHER, MTLS, NOTHING, NOTHING)),
        gateway=pick((*(False,) * 9, True)),
    )


def _some_subject(pick: Pick[Any], world: TrustState) -> ExchangeSubject:
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


def _some_actor(pick: Pick[Any], world: TrustState) -> ExchangeActor | None:
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


def _some_ticket(pick: Pick[Any], world: TrustState) -> ExchangeSubject:
    chain = _some_chain(pick, world)
    parent = chain[0]
    scopes = subset(pick, parent.scopes)
    audiences = tuple({audience for audience, _ in scopes}) or None
    portion = DelegationRequest(
        pick((B, C, D, F)), KEY.jkt, audiences, scopes, pick((30, 600))
    )
    lets_all = replace(next(iter(world.rules)), delegate_to=AGENTS)
    try:
        ticket = issue_ticket(parent, portion, "f" * 64, lets_all, NOW)
    except ExchangeDenied:
        return ours(chain)
    changes: list[dict[str, Any]] = [{}] * 16
    changes += [{"jkt": OTHER.jkt}, {"jkt": ""}, {"expires": NOW}, {"ttl": 0}]
    changes += [{"parent": "8" * 32}, {"audiences": (*parent.audiences, "https://z")}]
    changes += [{"scopes": ((parent.audiences[0], "y"),)}, {"audiences": ()}]
    return TicketGrant(replace(ticket, **pick(changes)), chain)


@dataclass(frozen=True)
class ExchangeCase:
    """One request in one world."""

    asked: VerifiedRequest
    standing: TrustState


def some_case(pick: Pick[Any]) -> ExchangeCase:
    world = some_standing(pick)
    return ExchangeCase(some_asked(pick, world), world)


@st.composite
def cases(draw: st.DrawFn) -> ExchangeCase:
    def pick(things: Sequence[Any]) -> Any:
        return draw(st.sampled_from(things))

    return some_case(pick)
