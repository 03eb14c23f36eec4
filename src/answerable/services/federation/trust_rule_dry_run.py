"""Dry-run trust rules against claims or a token: the first failed condition of each.

Nothing is issued here, and the claims need no signature.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from answerable.federation.claim_parsing import flatten_claims
from answerable.federation.spiffe_id import parse_trust_domain
from answerable.federation.strict_json import JsonObject
from answerable.federation.trust_rules.matching import (
    MatchSubject,
    UnmatchedRule,
    UnsignedClaims,
    explain_mismatches,
)
from answerable.model.config import Config
from answerable.model.documents.trust_rules import (
    RuleMatchItem,
)
from answerable.model.ids import AgentId, PersonId
from answerable.model.trust_rule import TrustRule

NO_RULE = "none"  # expected id if no rule should match
MAX_CLAIMS = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class KnownAgents:
    """Agents and owners that the store knows.

    Attributes:
        agents: Agents in the inventory; None if there is no inventory.
        owners: Attested owner of each agent; None if there is no store.
    """

    agents: Collection[AgentId] | None = None
    owners: Mapping[AgentId, PersonId] | None = None


def explain_trust_rules(
    rules: tuple[TrustRule, ...], subject: MatchSubject
) -> list[RuleMatchItem]:
    """Explain for each trust rule whether it matches, or its first failed condition."""
    items: list[RuleMatchItem] = []
    for rule, held in zip(rules, explain_mismatches(rules, subject), strict=True):
        failed = held if isinstance(held, UnmatchedRule) else None
        items.append(
            {
                "rule": rule.id,
                "agent": rule.agent,
                "fits": failed is None,
                "claim": failed.at if failed else "",
                "how": failed.miss.value if failed else "",
                "expected": failed.expected if failed else "",
            }
        )
    return items


def build_unverified_claims(payload: JsonObject, config: Config) -> UnsignedClaims:
    """Build unverified claims with the configured issuer that `iss` names, if any."""
    named = (payload.get("iss"), parse_trust_domain(payload.get("sub")))
    issuer = next((each for each in config.issuers if each.pin.iss in named), None)
    return UnsignedClaims(issuer.pin.name if issuer else "", flatten_claims(payload))
