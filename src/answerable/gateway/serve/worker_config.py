"""Build the parts of a worker that depend on its policy message."""

from collections.abc import Collection
from dataclasses import replace

from answerable.authorization.decision_table import DecisionTable
from answerable.connectors.config.parse.config_file import parse_config
from answerable.gateway.http.upstream_pool import UpstreamPool, build_upstream_pools
from answerable.gateway.serve.control_channel import WorkerPolicy
from answerable.gateway.server_identity import ServerIdentityCheck
from answerable.gateway.stdio.command_upstream import (
    CommandUpstream,
    build_command_upstreams,
)
from answerable.model.config import Config
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.ids import AgentId
from answerable.server.deadline_timer import DeadlineTimer
from answerable.usecases.authorization.compile_policy import compile_decision_table


def parse_worker_config(policy: WorkerPolicy) -> Config:
    """Parse the configuration in a worker's policy message.

    Raises:
        UsageError: It has faults that the supervisor had not seen.
    """
    reading = parse_config(policy.text, policy.place, policy.folder)
    config = reading.config
    if config is None or (policy.whole and not reading.is_valid_except_rules):
        raise UsageError(
            f"{policy.place} differs from the version that the supervisor read",
            "reload the configuration again",
        )
    # An invalid policy has no agents.
    return config if policy.whole else replace(config, agents=())


def compile_worker_policy(
    policy: WorkerPolicy, config: Config, previous: DecisionTable | None = None
) -> DecisionTable:
    """Compile the decision table of a policy message."""
    return compile_decision_table(
        config, policy.decode_rules(), is_valid=policy.whole, previous=previous
    )


def list_agent_ids(policy: WorkerPolicy) -> frozenset[AgentId]:
    """Return the ids of the agents in the inventory."""
    return frozenset(AgentId(each) for each in policy.inventory)


def build_upstreams(
    config: Config,
    kept_servers: Collection[str],
    ticker: DeadlineTimer,
    check_identity: ServerIdentityCheck,
) -> dict[str, UpstreamPool | CommandUpstream]:
    """Build the upstreams of all servers, less those that are kept."""
    servers = tuple(each for each in config.servers if each.name not in kept_servers)
    limits = config.limits
    try:
        given = (servers, limits, ticker, check_identity)
        return {**build_upstream_pools(*given), **build_command_upstreams(*given)}
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot use the TLS files of a server ({error.strerror})",
            "check ca, certificate and key under `servers`",
        ) from None
