"""What the plans of all doors have in common: how a file becomes one, and replaces it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from answerable.connectors.config.parse.document import Reading
from answerable.connectors.config.parse.faults import ConfigError
from answerable.model.config import Config
from answerable.model.errors import UsageError


class Plan(Protocol):
    """What one reading of the file asks for."""

    @property
    def fixed(self) -> Mapping[str, object]:
        """What a running process cannot change, by what the file calls it."""


def needs_restart(plan: Plan, later: Plan) -> list[str]:
    """Name what a later plan changes that a running process cannot."""
    after = later.fixed
    return [key for key, value in plan.fixed.items() if value != after[key]]


def config_of(place: str, reading: Reading) -> Config:
    """Give the configuration of a file of which nothing but the policy may be wrong.

    Raises:
        ConfigError: More is.
    """
    config = reading.config
    if config is None or not reading.lacks_policy_alone:
        raise ConfigError(place, reading.faults)
    return config


def store_of(config: Config, named: Path | None, usual: Path | None) -> Path:
    """Give the folder of the store.

    Args:
        config: May name it.
        named: As named on the command line, None where it was not; it goes first.
        usual: Where nobody names one; None where no home directory is known.

    Raises:
        UsageError: Nobody names one, and no home directory is known.
    """
    found = named or (Path(config.store) if config.store else usual)
    if found is None:
        raise UsageError(
            "no home directory is known, and no store is named",
            "name one: `store` in the configuration, or --store DIR",
        )
    return found
