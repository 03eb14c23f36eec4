"""Inputs of a token exchange decision: rules, issuers, owners and revocations."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.federation.delegations import DelegationChain
from answerable.federation.denials import DenialReason, ExchangeDenied
from answerable.federation.person_claim import (
    AccountBinding,
    accept_without_account_binding,
)
from answerable.federation.trust_rules.rule_index import RuleIndex
from answerable.model.config import IssuerConfig
from answerable.model.ids import AgentId, PersonId


@dataclass(frozen=True, slots=True)
class TrustState:
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
    rules: RuleIndex
    issuers: Mapping[str, IssuerConfig]
    owners: Mapping[AgentId, PersonId]
    kills: frozenset[str] = frozenset()
    gateways: frozenset[str] = frozenset()
    is_bound: AccountBinding = accept_without_account_binding


def check_chain_in_force(chain: DelegationChain, trust_state: TrustState) -> None:
    """Check that no delegation of a chain is revoked and no owner changed.

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
        if killed := next((name for name in names if name in trust_state.kills), ""):
            raise ExchangeDenied(DenialReason.KILLED, killed)
        owner = trust_state.owners.get(link.agent)
        if owner is None:
            raise ExchangeDenied(DenialReason.NO_OWNER, link.agent)
        if owner != link.owner:
            raise ExchangeDenied(DenialReason.OWNER_CHANGED, link.agent)
