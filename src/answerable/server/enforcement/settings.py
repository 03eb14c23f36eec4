"""Settings of enforcement: the compiled policy, its configuration and the folders."""

from dataclasses import dataclass
from pathlib import Path

from answerable.authorization.decision_table import DecisionTable
from answerable.model.config import Config


@dataclass(frozen=True, slots=True)
class EnforcementSettings:
    """Policy and folders of one process.

    Attributes:
        table: Compiled policy.
        config: Its configuration.
        store: Folder of the store, with signed statements.
        state: State folder of the gateway, with revocations and pins.
    """

    table: DecisionTable
    config: Config
    store: Path
    state: Path
