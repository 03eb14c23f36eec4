"""Load the token service's settings: configuration file, state folder, store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.config.fetch import read_config_file
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.federation.trust_rules.rule_index import RuleIndex
from answerable.model.config import Config, IssuerConfig, TokenServiceConfig
from answerable.model.errors import UsageError
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RuleSubject,
)
from answerable.server.restart_only_settings import (
    require_valid_config,
    resolve_store_folder,
)
from answerable.server.state_folders import token_service_state
from answerable.server.tls import without_tls_files
from answerable.usecases.federation.token_exchange import ExchangeConfig


@dataclass(frozen=True, slots=True)
class StsSettings:
    """Settings from one reading of the configuration file.

    Attributes:
        config: The configuration; without rules if one of them is invalid.
        service: Its section `sts`.
        reading: Parse result with faults.
        store: Folder of the store.
    """

    config: Config
    service: TokenServiceConfig
    reading: ConfigReading
    store: Path

    @property
    def state(self) -> Path:
        """Return the state folder of the token service."""
        return token_service_state(self.service, self.store)

    @property
    def has_valid_policy(self) -> bool:
        """Return whether its rules are valid; otherwise no token is issued."""
        return self.reading.has_valid_rules

    @property
    def restart_only_settings(self) -> Mapping[str, object]:
        """Return the settings that need a restart, by their names in the file."""
        service = self.service
        return {
            "sts.url": service.url,
            "sts.listen": without_tls_files(service.listen),
            "sts.database": service.database,
            "sts.health": service.health,
            "sts.terminator": service.terminator,
            "sts.events": service.events,
            "sts.state": self.state,
            "store": self.store,
        }


def load_settings(
    config_path: str, store: Path | None, default_store: Path | None
) -> StsSettings:
    """Load the settings from the configuration file.

    A file with an invalid policy loads too: the service then issues nothing.

    Args:
        store: Store named on the command line, None without.

    Raises:
        ConfigError: More than the policy is invalid.
        UsageError: The file is missing, or has no section `sts`.
        EnvironmentFailure: It may not be read.
    """
    reading = read_config_file(config_path)
    config = require_valid_config(config_path, reading)
    service = config.sts
    if service is None:
        raise UsageError(
            f"no token service is configured in {config_path}",
            "add an `sts` section; see docs/federation.md",
        )
    root = resolve_store_folder(config, store, default_store)
    return StsSettings(config, service, reading, root)


def foreign_issuers(settings: StsSettings) -> tuple[IssuerConfig, ...]:
    """Return the configured issuers other than this token service."""
    ours = settings.service.url
    return tuple(
        each
        for each in settings.config.issuers
        if not each.pin.ours and each.pin.iss != ours
    )


def _required_uid(subject: RuleSubject) -> int | None:
    """Return the uid that a local workload must have, None if no rule sets it."""
    match subject:
        case PeerSubject():
            return subject.uid
        case LaunchedSubject():
            return subject.runs_as
        case IssuedSubject():
            return None


def build_exchange_rules(settings: StsSettings) -> ExchangeConfig:
    """Build the rules and issuers for the exchange use case."""
    issuers = {each.pin.name: each for each in foreign_issuers(settings)}
    rules = settings.config.rules
    root = any(_required_uid(each.subject) == 0 for each in rules)
    ours = (each for each in settings.config.issuers if each.pin.ours)
    gateways = frozenset(each.audience for each in ours)
    return ExchangeConfig(RuleIndex(rules), issuers, root, gateways)
