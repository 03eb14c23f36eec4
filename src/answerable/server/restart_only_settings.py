"""Settings of a server process: find those that a reload cannot change."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.model.config import Config
from answerable.model.errors import UsageError


class ReloadableSettings(Protocol):
    """Result of one reading of the configuration file."""

    @property
    def restart_only_settings(self) -> Mapping[str, object]:
        """Settings that only a restart can change, by their key in the file."""


def list_restart_only_changes(
    current: ReloadableSettings, new: ReloadableSettings
) -> list[str]:
    """List the settings whose change takes effect only after a restart."""
    after = new.restart_only_settings
    return [
        key
        for key, value in current.restart_only_settings.items()
        if value != after[key]
    ]


def require_valid_config(config_path: str, reading: ConfigReading) -> Config:
    """Return a valid configuration; faults in its policy are allowed.

    Raises:
        ConfigError: More than the policy is invalid.
    """
    config = reading.config
    if config is None or not reading.is_valid_except_policy:
        raise ConfigError(config_path, reading.faults)
    return config


def resolve_store_folder(
    config: Config, store_option: Path | None, default_store: Path | None
) -> Path:
    """Return the store folder: from the command line, configuration or default.

    Args:
        config: The configuration, which may name it.
        store_option: Store named on the command line, which takes precedence; None
            without one.
        default_store: Default store; None where no home directory is known.

    Raises:
        UsageError: No store is named, and no home directory is known.
    """
    found = store_option or (Path(config.store) if config.store else default_store)
    if found is None:
        raise UsageError(
            "the home directory is unknown and no store is configured",
            "set `store` in the configuration, or use --store DIR",
        )
    return found
