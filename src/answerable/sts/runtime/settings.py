"""Settings of the token service: configuration file, state folder, store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.config.fetch import read_file
from answerable.connectors.config.parse.config_file import Reading
from answerable.federation.trust_rules.rule_index import Rules
from answerable.model.config import Config, PinnedIssuer, TokenService
from answerable.model.errors import UsageError
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RuleSubject,
)
from answerable.server.reloadable_plan import config_of, store_of
from answerable.server.state_folders import token_state
from answerable.server.tls import without_tls_files
from answerable.usecases.federation.token_exchange import InForce


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings from one reading of the configuration file.

    Attributes:
        config: The configuration; without rules if one of them is invalid.
        service: Its section `sts`.
        reading: Parse result with faults.
        store: Folder of the store.
    """

    config: Config
    service: TokenService
    reading: Reading
    store: Path

    @property
    def state(self) -> Path:
        """Return the state folder of the token service."""
        return token_state(self.service, self.store)

    @property
    def is_whole(self) -> bool:
        """Tell whether its rules are valid; otherwise no token is issued."""
        return self.reading.holds_rules

    @property
    def fixed(self) -> Mapping[str, object]:
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


def read_plan(place: str, store: Path | None, usual: Path | None) -> Plan:
    """Load the settings.

    A file with an invalid policy loads too: the service then issues nothing.

    Args:
        store: Store named on the command line, None without.

    Raises:
        ConfigError: More than the policy is invalid.
        UsageError: The file is missing, or has no section `sts`.
        EnvironmentRefused: It may not be read.
    """
    reading = read_file(place)
    config = config_of(place, reading)
    service = config.sts
    if service is None:
        raise UsageError(
            f"no token service in {place}",
            "add a section `sts`; see docs/federation.md",
        )
    root = store_of(config, store, usual)
    return Plan(config, service, reading, root)


def foreign(plan: Plan) -> tuple[PinnedIssuer, ...]:
    """Return the issuers other than this service."""
    ours = plan.service.url
    return tuple(
        each
        for each in plan.config.issuers
        if not each.pin.ours and each.pin.iss != ours
    )


def _user(subject: RuleSubject) -> int | None:
    """Return the uid that a local workload must have, None if no rule sets it."""
    match subject:
        case PeerSubject():
            return subject.uid
        case LaunchedSubject():
            return subject.runs_as
        case IssuedSubject():
            return None


def in_force(plan: Plan) -> InForce:
    """Return the rules and issuers for the exchange use case."""
    issuers = {each.pin.name: each for each in foreign(plan)}
    rules = plan.config.rules
    root = any(_user(each.subject) == 0 for each in rules)
    ours = (each for each in plan.config.issuers if each.pin.ours)
    gateways = frozenset(each.audience for each in ours)
    return InForce(Rules(rules), issuers, root, gateways)
