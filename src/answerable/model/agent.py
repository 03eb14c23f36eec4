"""Type of AI agents, with the configuration that declares each."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import AgentId, IdentityId
from answerable.model.provenance import FactProvenance

# Fact of a workflow agent: actions of its job that a branch or a tag names.
UNPINNED_ACTIONS = "unpinned-actions"
NO_ACTIONS = "none"
# Packages that steps of its job start without a fixed version; `none` for none.
UNPINNED_PACKAGES = "unpinned-packages"


class FactStatus(StrEnum):
    """Evidence status of a fact, in the words of a hop's status."""

    OBSERVED = "observed"
    DECLARED = "declared"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True)
class Agent:
    """An AI agent as its configuration or its platform declares it.

    Attributes:
        id: `agent:KIND/...`.
        kind: Client or platform, e.g. `claude-code`, `cursor`, `github-actions`,
            `bedrock`, `agentcore`.
        name: Short display name.
        place: Configuration file or ARN.
        scope: The host account it runs under, e.g. `home:/home/ana`; tools without a
            stated credential inherit the ambient ones of the same scope. Empty where
            there is none.
        parent: The agent that may start this one, or None.
        unattended: True when it acts without a person approving each call.
        known: Evidence status of its existence.
        runs_as: Identities its platform runs it under (role ARNs).
        note: One short sentence of ours that qualifies `known`; never foreign text.
        facts: Small settings worth showing, sorted pairs (permission mode, model).
    """

    id: AgentId
    kind: str
    name: str
    place: str
    scope: str
    parent: AgentId | None
    unattended: bool
    known: FactStatus
    runs_as: tuple[IdentityId, ...]
    note: str
    facts: tuple[tuple[str, str], ...]
    seen: FactProvenance
