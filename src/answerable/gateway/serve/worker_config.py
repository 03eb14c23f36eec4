"""Parts of a worker that follow from its policy message."""

from collections.abc import Collection
from dataclasses import replace

from answerable.authorization.decision_table import Table
from answerable.connectors.config.parse.config_file import read_config
from answerable.gateway.http.upstream_pool import Pool, pools
from answerable.gateway.serve.control_channel import Policy
from answerable.gateway.server_identity import MetAt
from answerable.gateway.stdio.command_upstream import Command, commands
from answerable.model.config import Config
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.model.ids import AgentId
from answerable.server.deadline_timer import Ticker
from answerable.usecases.authorization.compile_policy import table_of


def parse_worker_config(policy: Policy) -> Config:
    """Parse the configuration in a worker's policy message.

    Raises:
        UsageError: It has faults that the supervisor had not seen.
    """
    reading = read_config(policy.text, policy.place, policy.folder)
    config = reading.config
    if config is None or (policy.whole and not reading.holds_policy):
        raise UsageError(f"{policy.place}: not as the supervisor read it")
    # An invalid policy has no agents.
    return config if policy.whole else replace(config, agents=())


def compile_table(policy: Policy, config: Config, before: Table | None = None) -> Table:
    """Compile the decision table of a policy message."""
    return table_of(config, policy.cedar(), whole=policy.whole, before=before)


def agent_ids(policy: Policy) -> frozenset[AgentId]:
    """Return the ids of the agents in the inventory."""
    return frozenset(AgentId(each) for each in policy.inventory)


def build_upstreams(
    config: Config, kept: Collection[str], ticker: Ticker, met: MetAt
) -> dict[str, Pool | Command]:
    """Build the upstreams of all servers, less those that are kept."""
    servers = tuple(each for each in config.servers if each.name not in kept)
    limits = config.limits
    try:
        given = (servers, limits, ticker, met)
        return {**pools(*given), **commands(*given)}
    except OSError as error:
        raise EnvironmentRefused(
            f"cannot use the TLS files of a server ({error.strerror})",
            "see ca, certificate and key under `servers`",
        ) from None
