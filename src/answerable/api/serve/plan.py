"""What to serve: the configuration as read, and where everything goes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from answerable.connectors.config.parse.document import Reading
from answerable.enforce.table import Table
from answerable.flows.policy import table_of
from answerable.model.cedar import NO_RULES, CedarRules
from answerable.model.config import Config
from answerable.model.decision_point import DecisionPoint
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.serving.plan import config_of, store_of
from answerable.serving.policies import read_decided
from answerable.serving.state import decisions_state, gateway_state
from answerable.serving.stored import known_agents
from answerable.serving.tls import without_tls_files

OWN = "decisions"  # folder of its own in the store, where the file names none


@dataclass(frozen=True, slots=True)
class Plan:
    """What one reading of the file asks for.

    Attributes:
        config: The configuration; without agents, where the policy is wrong.
        point: Its section `decisions`.
        reading: What was made of the file, its faults included.
        store: Folder of the store.
        inventory: Ids of the agents that a scan has found.
    """

    config: Config
    point: DecisionPoint
    reading: Reading
    store: Path
    inventory: frozenset[AgentId]

    @property
    def state(self) -> Path:
        """The decision point's own folder."""
        return decisions_state(self.point, self.store)

    @property
    def shared(self) -> Path:
        """The gateway's folder, with what holds beside the policy."""
        return gateway_state(self.config, self.store)

    @property
    def is_whole(self) -> bool:
        """Whether its policy is right; otherwise everything is denied."""
        return self.reading.holds_policy

    def table(self) -> Table:
        """Compile what to decide by; where the policy is wrong, one that denies."""
        return table_of(self.config, self.reading.policies, whole=self.is_whole)

    @property
    def fixed(self) -> Mapping[str, object]:
        """What a running decision point cannot change, by what the file calls it."""
        point = self.point
        return {
            "decisions.url": point.url,
            "decisions.listen": without_tls_files(point.listen),
            "decisions.ext_authz": without_tls_files(point.ext_authz),
            "decisions.state": self.state,
            "state": self.shared,
            "store": self.store,
        }


def read_plan(
    place: str, store: Path | None, usual: Path | None, before: CedarRules = NO_RULES
) -> Plan:
    """Read the configuration, and whom the store knows.

    A file of which the policy alone is wrong is a plan, too: of a decision point that
    denies.

    Args:
        place: The file.
        store: As named on the command line, None where it was not.
        usual: The store where nobody names one.
        before: The Cedar policies as they were read last.

    Raises:
        ConfigError: More than the policy is wrong.
        UsageError: The file is not there, or has no section `decisions`.
        EnvironmentRefused: It may not be read, or the store may not.
    """
    reading = read_decided(place, store, usual, before)
    config = config_of(place, reading)
    point = config.decisions
    if point is None:
        raise UsageError(
            f"no decision point in {place}",
            "add a section `decisions`; see docs/authzen.md",
        )
    root = store_of(config, store, usual)
    inventory = frozenset(AgentId(each) for each in known_agents(root))
    if not reading.holds_policy:
        config = replace(config, agents=())
    return Plan(config, point, reading, root, inventory)
