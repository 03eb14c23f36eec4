"""What is in force when an exchange is decided; whoever asks reads it anew each time."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.federate.delegating import Chain
from answerable.federate.person import Binding, any_account
from answerable.federate.refusing import Refused, Why
from answerable.federate.rules.table import Rules
from answerable.model.config import PinnedIssuer
from answerable.model.ids import AgentId, PersonId


@dataclass(frozen=True, slots=True)
class Standing:
    """The rules, and who stands behind them.

    Attributes:
        url: Our `iss`.
        rules: The rules.
        issuers: Pinned issuers, by name.
        owners: Agents that have an attested owner now, and who that is.
        kills: Subjects that get nothing: `agent:...`, `person:...`, `rule:ID`,
            `issuer:NAME`, `run:DLG`.
        gateways: Audiences of our gateways: tokens for one are shown to it.
        is_bound: Tells whether a person's token is of the account they are bound to.
    """

    url: str
    rules: Rules
    issuers: Mapping[str, PinnedIssuer]
    owners: Mapping[AgentId, PersonId]
    kills: frozenset[str] = frozenset()
    gateways: frozenset[str] = frozenset()
    is_bound: Binding = any_account


def check_standing(chain: Chain, standing: Standing) -> None:
    """Refuse a chain in which somebody was killed, or answers no more.

    Raises:
        Refused: See above.
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
