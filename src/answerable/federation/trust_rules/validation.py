"""Validate trust rules at load; docs/configuration.md lists the checks.

One fault rejects the whole set, because half of a rule set is not what its author
meant.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from answerable.federation.claim_parsing import SCOPE_LETTERS
from answerable.federation.trust_rules.faults import RuleFault, RuleFaultCode
from answerable.federation.trust_rules.overlap import rules_overlap
from answerable.federation.trust_rules.subject_validation import (
    SubjectFault,
    validate_subject,
)
from answerable.federation.uri_normalisation import normalise_uri
from answerable.model.config import IssuerConfig
from answerable.model.ids import AgentId
from answerable.model.trust_rule import (
    GrantedTokenKind,
    RequiredBinding,
    TokenGrant,
    TrustRule,
)

MAX_RULES = 1000
MAX_ID = 64
MAX_AUDIENCE = 1024
MIN_TTL = 60  # seconds
# Key-bound access tokens live ten minutes at most; bearer tokens and ID-JAGs, which a
# foreign service turns into tokens of its own, five.
MAX_TTL = 600
MAX_TTL_UNBOUND = 300

_ID_CHARACTERS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
)
_AGENT = "agent:"


@dataclass(frozen=True, slots=True)
class ValidationContext:
    """Facts that rules are validated against.

    Attributes:
        url: Our `iss`, empty without a token service.
        issuers: Pinned issuers by name.
        agents: Agents of the inventory; None if unknown, which skips the check.
        owned: Agents with an attested owner; None likewise.
    """

    url: str
    issuers: Mapping[str, IssuerConfig]
    agents: Collection[AgentId] | None = None
    owned: Collection[AgentId] | None = None


def validate_rules(
    rules: tuple[TrustRule, ...], context: ValidationContext
) -> tuple[RuleFault, ...]:
    """Find all faults of a set of rules, in the order of the rules."""
    found: list[tuple[int, SubjectFault]] = []
    seen: set[str] = set()
    for position, rule in enumerate(rules):
        found += [(position, each) for each in _validate_rule(rule, context)]
        if rule.id in seen:
            what = "another rule has this id"
            found.append((position, ("id", RuleFaultCode.DUPLICATE_ID, what)))
        seen.add(rule.id)
    for (_, one), (position, other) in combinations(enumerate(rules), 2):
        if rules_overlap(one, other):
            what = f"one workload could satisfy this rule and {_printable_id(one.id)}"
            found.append((position, ("", RuleFaultCode.OVERLAP, what)))
    return tuple(
        RuleFault(rules[position].id, position, *each)
        for position, each in sorted(found, key=lambda pair: pair[0])
    )


def max_grant_ttl(binding: RequiredBinding, kind: GrantedTokenKind) -> int:
    """Return the longest token lifetime that a grant may set, in seconds."""
    usual = (
        kind is GrantedTokenKind.ACCESS_TOKEN and binding is not RequiredBinding.BEARER
    )
    return MAX_TTL if usual else MAX_TTL_UNBOUND


def _printable_id(name: str) -> str:
    """Return a rule id for a message, replaced if it is not printable."""
    # An id that is refused may hold anything.
    return name if name.isascii() and name.isprintable() else "an earlier one"


def _validate_rule(
    rule: TrustRule, context: ValidationContext
) -> Iterator[SubjectFault]:
    """Yield each fault of one trust rule: in id, subject, agent, grants..."""
    letters = _ID_CHARACTERS.issuperset(rule.id) and rule.id[:1].isalnum()
    if not letters or len(rule.id) > MAX_ID:
        what = f"expected at most {MAX_ID} letters, digits, `.`, `_`, `-`"
        yield "id", RuleFaultCode.ID, what
    yield from validate_subject(rule.subject, context.url, context.issuers)
    yield from _validate_agent("agent", rule.agent, context)
    yield from _validate_grants(rule, context)
    yield from _validate_delegate_agents(rule, context)
    yield from _validate_person_issuers(rule, context)


def _validate_agent(
    location: str, agent: AgentId, context: ValidationContext
) -> Iterator[SubjectFault]:
    """Yield faults of an agent id: malformed, unknown, or without an owner."""
    named = agent.removeprefix(_AGENT)
    plain = agent.isascii() and agent.isprintable() and " " not in agent
    if not agent.startswith(_AGENT) or not named or not plain:
        yield (
            location,
            RuleFaultCode.AGENT,
            "expected an agent id in ASCII: agent:KIND/NAME",
        )
        return
    if context.agents is not None and agent not in context.agents:
        yield (
            location,
            RuleFaultCode.AGENT_UNKNOWN,
            "the inventory has no such agent; scan it first",
        )
    elif context.owned is not None and agent not in context.owned:
        what = "it has no attested owner; run: answerable attest --key"
        yield location, RuleFaultCode.NO_ATTESTED_OWNER, what


def _validate_grants(
    rule: TrustRule, context: ValidationContext
) -> Iterator[SubjectFault]:
    """Yield faults of a rule's grants: duplicates, audience, scopes, lifetime."""
    if not rule.grants:
        yield "grants", RuleFaultCode.NO_GRANT, "expected a grant"
    seen: set[tuple[str, GrantedTokenKind]] = set()
    for number, grant in enumerate(rule.grants):
        at = f"grants[{number}]"
        if (grant.audience, grant.gives) in seen:
            what = "another grant of this rule has the same audience and kind"
            yield at, RuleFaultCode.GRANT_TWICE, what
        seen.add((grant.audience, grant.gives))
        yield from _validate_audience(f"{at}.audience", grant, context)
        yield from _validate_scopes(f"{at}.scopes", grant)
        most = max_grant_ttl(grant.bind, grant.gives)
        if not MIN_TTL <= grant.ttl <= most:
            what = f"expected {MIN_TTL} to {most} seconds for this kind of token"
            yield f"{at}.ttl", RuleFaultCode.TTL, what


def _validate_audience(
    location: str, grant: TokenGrant, context: ValidationContext
) -> Iterator[SubjectFault]:
    """Yield faults of a grant's audience: malformed, a pattern, or taken."""
    text = grant.audience
    plain = text.isascii() and text.isprintable() and " " not in text
    if not 0 < len(text) <= MAX_AUDIENCE or not plain:
        yield (
            location,
            RuleFaultCode.AUDIENCE,
            "expected an identifier in ASCII without spaces",
        )
    elif "*" in text:
        yield location, RuleFaultCode.AUDIENCE, "expected one audience, not a pattern"
    elif whose := _describe_audience_conflict(grant, context):
        yield location, RuleFaultCode.AUDIENCE_TAKEN, f"this audience is {whose}"


def _describe_audience_conflict(grant: TokenGrant, context: ValidationContext) -> str:
    """Describe the other relying party that has this audience; empty for none."""
    named = _normalise_audience(grant.audience)
    if context.url and named == _normalise_audience(context.url):
        return "our own URL: a token for it could be exchanged for any other token"
    issuers = context.issuers.values()
    gateways = {_normalise_audience(each.audience) for each in issuers if each.pin.ours}
    for each in issuers:
        if each.pin.ours:
            continue
        # An ID-JAG is made for the token service that stands at an `iss`.
        is_jag = grant.gives is GrantedTokenKind.ID_JAG
        if named == _normalise_audience(each.pin.iss) and not is_jag:
            return f"the issuer {each.pin.name} itself"
        if named == _normalise_audience(each.audience) and named not in gateways:
            return f"the audience that the issuer {each.pin.name} uses for this service"
    return ""


def _normalise_audience(audience: str) -> str:
    """Normalise an audience, so that `https://A/` equals `https://a`."""
    return (normalise_uri(audience) or audience).rstrip("/")


def _validate_scopes(location: str, grant: TokenGrant) -> Iterator[SubjectFault]:
    """Yield faults of a grant's scopes: malformed or repeated."""
    for scope in grant.scopes:
        if not scope or not SCOPE_LETTERS.issuperset(scope) or "*" in scope:
            yield (
                location,
                RuleFaultCode.SCOPE,
                "expected scope tokens (RFC 6749 3.3) without `*`",
            )
            return
    if len(set(grant.scopes)) < len(grant.scopes):
        yield location, RuleFaultCode.SCOPE, "expected each scope only once"


def _validate_delegate_agents(
    rule: TrustRule, context: ValidationContext
) -> Iterator[SubjectFault]:
    """Yield faults of the agents that a rule may delegate to."""
    if len(set(rule.delegate_to)) < len(rule.delegate_to):
        yield "delegate_to", RuleFaultCode.DELEGATE, "expected each agent only once"
    for number, agent in enumerate(rule.delegate_to):
        at = f"delegate_to[{number}]"
        if agent == rule.agent:
            yield (
                at,
                RuleFaultCode.DELEGATE,
                "expected an agent other than the rule's own",
            )
        yield from _validate_agent(at, agent, context)


def _validate_person_issuers(
    rule: TrustRule, context: ValidationContext
) -> Iterator[SubjectFault]:
    """Yield faults of the issuers whose people an agent may act for."""
    for number, name in enumerate(rule.on_behalf_of):
        issuer = context.issuers.get(name)
        if issuer is None or not issuer.person:
            what = "expected an issuer that vouches for people (issuers.NAME.person)"
            yield f"on_behalf_of[{number}]", RuleFaultCode.ON_BEHALF_OF, what
