"""What to serve: the configuration as read, and where everything goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.config.fetch import read_file
from answerable.connectors.config.parse.document import Reading
from answerable.federate.rules.table import Rules
from answerable.flows.exchange import InForce
from answerable.model.config import Config, PinnedIssuer, TokenService
from answerable.model.errors import UsageError
from answerable.model.rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RuleSubject,
)
from answerable.serving.plan import config_of, store_of
from answerable.serving.state import token_state
from answerable.serving.tls import without_tls_files


@dataclass(frozen=True, slots=True)
class Plan:
    """What one reading of the file asks for.

    Attributes:
        config: The configuration; without rules, where one of them is wrong.
        service: Its section `sts`.
        reading: What was made of the file, its faults included.
        store: Folder of the store.
    """

    config: Config
    service: TokenService
    reading: Reading
    store: Path

    @property
    def state(self) -> Path:
        """The token service's own folder."""
        return token_state(self.service, self.store)

    @property
    def is_whole(self) -> bool:
        """Whether its rules are right; otherwise nothing is given."""
        return self.reading.holds_rules

    @property
    def fixed(self) -> Mapping[str, object]:
        """What a running service cannot change, by what the file calls it."""
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
    """Read the configuration.

    A file of which the policy alone is wrong is a plan, too: of a service that gives
    nothing.

    Args:
        place: The file.
        store: As named on the command line, None where it was not.
        usual: The store where nobody names one.

    Raises:
        ConfigError: More than the policy is wrong.
        UsageError: The file is not there, or has no section `sts`.
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
    """Give the issuers that are not ourselves."""
    ours = plan.service.url
    return tuple(
        each
        for each in plan.config.issuers
        if not each.pin.ours and each.pin.iss != ours
    )


def _user(subject: RuleSubject) -> int | None:
    """Give the user that a local workload has to run as, None where no rule says it."""
    match subject:
        case PeerSubject():
            return subject.uid
        case LaunchedSubject():
            return subject.runs_as
        case IssuedSubject():
            return None


def in_force(plan: Plan) -> InForce:
    """Give what a plan puts in force."""
    issuers = {each.pin.name: each for each in foreign(plan)}
    rules = plan.config.rules
    root = any(_user(each.subject) == 0 for each in rules)
    ours = (each for each in plan.config.issuers if each.pin.ours)
    gateways = frozenset(each.audience for each in ours)
    return InForce(Rules(rules), issuers, root, gateways)
