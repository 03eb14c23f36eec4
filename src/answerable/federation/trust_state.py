"""Trust state that an exchange is decided on, read fresh for each request."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.federation.delegations import Chain
from answerable.federation.denials import Refused, Why
from answerable.federation.person_claim import Binding, any_account
from answerable.federation.trust_rules.rule_index import Rules
from answerable.model.config import PinnedIssuer
from answerable.model.ids import AgentId, PersonId


@dataclass(frozen=True, slots=True)
class Standing:
    """Rules, issuers, owners and revocations in force.

    Attributes:
        url: Our `iss`.
        issuers: Pinned issuers by name.
        owners: Attested owner of each agent that has one.
        kills: Revoked subjects: `agent:...`, `person:...`, `rule:ID`, `issuer:NAME`,
            `run:DLG`.
        gateways: Audiences of our gateways.
        is_bound: Checks that a person's token comes from their bound account.
    """

    url: str
    rules: Rules
    issuers: Mapping[str, PinnedIssuer]
    owners: Mapping[AgentId, PersonId]
    kills: frozenset[str] = frozenset()
    gateways: frozenset[str] = frozenset()
    is_bound: Binding = any_account


def check_standing(chain: Chain, standing: Standing) -> None:
    """Check that no link is revoked and that each owner is unchanged.

    Raises:
        Refused: A check failed.
    """
    for link in chain:
        names = (
            f"rule:{link.rule}",
            f"run:{link.id}",
            link.run,
            link.agent,
            link.sub,
            link.owner,
            *link.actors,
        )
        if killed := next((name for name in names if name in standing.kills), ""):
            raise Refused(Why.KILLED, killed)
        owner = standing.owners.get(link.agent)
        if owner is None:
            raise Refused(Why.NO_OWNER, link.agent)
        if owner != link.owner:
            raise Refused(Why.OWNER_CHANGED, link.agent)
