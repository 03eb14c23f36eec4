"""Load the settings of the decision point: configuration file, state folder, store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from answerable.authorization.decision_table import DecisionTable
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicySet
from answerable.model.config import Config
from answerable.model.decision_point_config import DecisionPointConfig
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.server.policy_loading import read_config_and_policies
from answerable.server.restart_only_settings import (
    require_valid_config,
    resolve_store_folder,
)
from answerable.server.state_folders import decisions_state, gateway_state
from answerable.server.store_access import list_known_agents
from answerable.server.tls import without_tls_files
from answerable.usecases.authorization.compile_policy import compile_decision_table

STATE_FOLDER = "decisions"  # folder of its own in the store, where the file names none


@dataclass(frozen=True, slots=True)
class PdpSettings:
    """Settings from one reading of the configuration file.

    Attributes:
        config: The configuration; without agents if the policy is invalid.
        point: Its section `decisions`.
        reading: Parse result with faults.
        store: Folder of the store.
        inventory: Ids of discovered agents.
    """

    config: Config
    point: DecisionPointConfig
    reading: ConfigReading
    store: Path
    inventory: frozenset[AgentId]

    @property
    def state(self) -> Path:
        """Return the state folder of the decision point."""
        return decisions_state(self.point, self.store)

    @property
    def gateway_state(self) -> Path:
        """Return the gateway's state folder, with revocations and pins."""
        return gateway_state(self.config, self.store)

    @property
    def has_valid_policy(self) -> bool:
        """Return whether its policy is valid; otherwise everything is denied."""
        return self.reading.is_valid_except_rules

    def compile_policy(self) -> DecisionTable:
        """Compile the policy; an invalid one denies everything."""
        return compile_decision_table(
            self.config, self.reading.policies, is_valid=self.has_valid_policy
        )

    @property
    def restart_only_settings(self) -> Mapping[str, object]:
        """Return the settings that need a restart, by their names in the file."""
        point = self.point
        return {
            "decisions.url": point.url,
            "decisions.listen": without_tls_files(point.listen),
            "decisions.ext_authz": without_tls_files(point.ext_authz),
            "decisions.state": self.state,
            "state": self.gateway_state,
            "store": self.store,
        }


def load_settings(
    config_path: str,
    store: Path | None,
    default_store: Path | None,
    previous: CedarPolicySet = NO_CEDAR_POLICIES,
) -> PdpSettings:
    """Load the settings and the agents of the inventory.

    A file with an invalid policy loads too: the decision point then denies.

    Args:
        store: Store named on the command line, None without.

    Raises:
        ConfigError: More than the policy is invalid.
        UsageError: The file is missing, or has no section `decisions`.
        EnvironmentFailure: It or the store may not be read.
    """
    reading = read_config_and_policies(config_path, store, default_store, previous)
    config = require_valid_config(config_path, reading)
    point = config.decisions
    if point is None:
        raise UsageError(
            f"no decision point is configured in {config_path}",
            "add a `decisions` section; see docs/authzen.md",
        )
    root = resolve_store_folder(config, store, default_store)
    inventory = frozenset(AgentId(each) for each in list_known_agents(root))
    if not reading.is_valid_except_rules:
        config = replace(config, agents=())
    return PdpSettings(config, point, reading, root, inventory)
