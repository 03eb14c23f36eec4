"""Plan of a server: how a configuration file becomes one, and replaces it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.model.config import Config
from answerable.model.errors import UsageError


class ReloadablePlan(Protocol):
    """Result of one reading of the configuration file."""

    @property
    def restart_only_settings(self) -> Mapping[str, object]:
        """Settings that only a restart can change, by their key in the file."""


def needs_restart(plan: ReloadablePlan, later: ReloadablePlan) -> list[str]:
    """List the keys whose change needs a restart."""
    after = later.restart_only_settings
    return [
        key for key, value in plan.restart_only_settings.items() if value != after[key]
    ]


def require_config(place: str, reading: ConfigReading) -> Config:
    """Return the configuration of a file that is valid but for its policy.

    Raises:
        ConfigError: More than the policy is invalid.
    """
    config = reading.config
    if config is None or not reading.has_all_but_policy:
        raise ConfigError(place, reading.faults)
    return config


def resolve_store(config: Config, named: Path | None, usual: Path | None) -> Path:
    """Return the folder of the store.

    Args:
        config: The configuration, which may name it.
        named: Store named on the command line, which takes precedence; None without
            one.
        usual: Default store; None where no home directory is known.

    Raises:
        UsageError: No store is named, and no home directory is known.
    """
    found = named or (Path(config.store) if config.store else usual)
    if found is None:
        raise UsageError(
            "no home directory is known, and no store is named",
            "name one: `store` in the configuration, or --store DIR",
        )
    return found
