"""Validation of trust rules at load; docs/configuration.md lists the checks.

One fault rejects the whole set, because half of a rule set is not what its author
meant.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from answerable.federation.claim_parsing import SCOPE_LETTERS
from answerable.federation.trust_rules.faults import RuleFault, Wrong
from answerable.federation.trust_rules.overlap import overlap
from answerable.federation.trust_rules.subject_validation import Found, check_subject
from answerable.federation.uri_normalisation import normalise
from answerable.model.config import PinnedIssuer
from answerable.model.ids import AgentId
from answerable.model.trust_rule import Bind, Granted, TokenGrant, TrustRule

MAX_RULES = 1000
MAX_ID = 64
MAX_AUDIENCE = 1024
LEAST_TTL = 60  # seconds
# Key-bound access tokens live ten minutes at most; bearer tokens and ID-JAGs, which a
# foreign service turns into tokens of its own, five.
MOST_TTL = 600
MOST_TTL_UNBOUND = 300

_ID_LETTERS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
)
_AGENT = "agent:"


@dataclass(frozen=True, slots=True)
class Around:
    """Facts that rules are validated against.

    Attributes:
        url: Our `iss`, empty without a token service.
        issuers: Pinned issuers by name.
        agents: Agents of the inventory; None if unknown, which skips the check.
        owned: Agents with an attested owner; None likewise.
    """

    url: str
    issuers: Mapping[str, PinnedIssuer]
    agents: Collection[AgentId] | None = None
    owned: Collection[AgentId] | None = None


def check(rules: tuple[TrustRule, ...], around: Around) -> tuple[RuleFault, ...]:
    """Find all faults of a set of rules, in order."""
    found: list[tuple[int, Found]] = []
    seen: set[str] = set()
    for position, rule in enumerate(rules):
        found += [(position, each) for each in _rule(rule, around)]
        if rule.id in seen:
            what = "another rule has this id"
            found.append((position, ("id", Wrong.DUPLICATE_ID, what)))
        seen.add(rule.id)
    for (_, one), (position, other) in combinations(enumerate(rules), 2):
        if overlap(one, other):
            what = f"one workload could satisfy this rule and {_shown(one.id)}"
            found.append((position, ("", Wrong.OVERLAP, what)))
    return tuple(
        RuleFault(rules[position].id, position, *each)
        for position, each in sorted(found, key=lambda pair: pair[0])
    )


def most_ttl(bind: Bind, gives: Granted) -> int:
    """Return the longest lifetime that a grant may set, seconds."""
    usual = gives is Granted.ACCESS_TOKEN and bind is not Bind.BEARER
    return MOST_TTL if usual else MOST_TTL_UNBOUND


def _shown(name: str) -> str:
    # An id that is refused may hold anything.
    return name if name.isascii() and name.isprintable() else "an earlier one"


def _rule(rule: TrustRule, around: Around) -> Iterator[Found]:
    letters = _ID_LETTERS.issuperset(rule.id) and rule.id[:1].isalnum()
    if not letters or len(rule.id) > MAX_ID:
        what = f"letters, digits, `.`, `_`, `-` were expected, at most {MAX_ID}"
        yield "id", Wrong.ID, what
    yield from check_subject(rule.subject, around.url, around.issuers)
    yield from _agent("agent", rule.agent, around)
    yield from _grants(rule, around)
    yield from _delegates(rule, around)
    yield from _people(rule, around)


def _agent(at: str, agent: AgentId, around: Around) -> Iterator[Found]:
    named = agent.removeprefix(_AGENT)
    plain = agent.isascii() and agent.isprintable() and " " not in agent
    if not agent.startswith(_AGENT) or not named or not plain:
        yield at, Wrong.AGENT, "an agent was expected: agent:KIND/NAME, in ASCII"
        return
    if around.agents is not None and agent not in around.agents:
        yield at, Wrong.AGENT_UNKNOWN, "the inventory has no such agent; scan it first"
    elif around.owned is not None and agent not in around.owned:
        what = "no attested owner answers for it: answerable attest --key"
        yield at, Wrong.NO_ATTESTED_OWNER, what


def _grants(rule: TrustRule, around: Around) -> Iterator[Found]:
    if not rule.grants:
        yield "grants", Wrong.NO_GRANT, "a grant was expected"
    seen: set[tuple[str, Granted]] = set()
    for number, grant in enumerate(rule.grants):
        at = f"grants[{number}]"
        if (grant.audience, grant.gives) in seen:
            what = "another grant of this rule has the audience and kind"
            yield at, Wrong.GRANT_TWICE, what
        seen.add((grant.audience, grant.gives))
        yield from _audience(f"{at}.audience", grant, around)
        yield from _scopes(f"{at}.scopes", grant)
        most = most_ttl(grant.bind, grant.gives)
        if not LEAST_TTL <= grant.ttl <= most:
            what = f"{LEAST_TTL} to {most} seconds were expected of this kind"
            yield f"{at}.ttl", Wrong.TTL, what


def _audience(at: str, grant: TokenGrant, around: Around) -> Iterator[Found]:
    text = grant.audience
    plain = text.isascii() and text.isprintable() and " " not in text
    if not 0 < len(text) <= MAX_AUDIENCE or not plain:
        yield at, Wrong.AUDIENCE, "an identifier in ASCII without spaces was expected"
    elif "*" in text:
        yield at, Wrong.AUDIENCE, "one audience was expected, no pattern"
    elif whose := _relying_party(grant, around):
        yield at, Wrong.AUDIENCE_TAKEN, f"this audience is {whose}"


def _relying_party(grant: TokenGrant, around: Around) -> str:
    """Return the other relying party with this audience; empty for none."""
    named = _named(grant.audience)
    if around.url and named == _named(around.url):
        return "our own: a token for us could be exchanged for any other"
    issuers = around.issuers.values()
    gateways = {_named(each.audience) for each in issuers if each.pin.ours}
    for each in issuers:
        if each.pin.ours:
            continue
        # An ID-JAG is made for the token service that stands at an `iss`.
        is_jag = grant.gives is Granted.ID_JAG
        if named == _named(each.pin.iss) and not is_jag:
            return f"the issuer {each.pin.name} itself"
        if named == _named(each.audience) and named not in gateways:
            return f"the one that tokens of the issuer {each.pin.name} have for us"
    return ""


def _named(audience: str) -> str:
    """Normalise an audience, so that `https://A/` equals `https://a`."""
    return (normalise(audience) or audience).rstrip("/")


def _scopes(at: str, grant: TokenGrant) -> Iterator[Found]:
    for scope in grant.scopes:
        if not scope or not SCOPE_LETTERS.issuperset(scope) or "*" in scope:
            yield at, Wrong.SCOPE, "scope tokens were expected (RFC 6749 3.3), no `*`"
            return
    if len(set(grant.scopes)) < len(grant.scopes):
        yield at, Wrong.SCOPE, "each scope was expected once"


def _delegates(rule: TrustRule, around: Around) -> Iterator[Found]:
    if len(set(rule.delegate_to)) < len(rule.delegate_to):
        yield "delegate_to", Wrong.DELEGATE, "each agent was expected once"
    for number, agent in enumerate(rule.delegate_to):
        at = f"delegate_to[{number}]"
        if agent == rule.agent:
            yield at, Wrong.DELEGATE, "another agent was expected"
        yield from _agent(at, agent, around)


def _people(rule: TrustRule, around: Around) -> Iterator[Found]:
    for number, name in enumerate(rule.on_behalf_of):
        issuer = around.issuers.get(name)
        if issuer is None or not issuer.person:
            what = (
                "an issuer that vouches for people was expected (issuers.NAME.person)"
            )
            yield f"on_behalf_of[{number}]", Wrong.ON_BEHALF_OF, what
