"""`gateway`: operate a gateway: wrap one server, or try a policy."""

import click

from answerable.cli.commands.gateway_stdio import stdio
from answerable.cli.commands.kills import kill, revive
from answerable.cli.commands.serve import read_gateway_plan
from answerable.cli.settings import AppCommand, AppGroup, Settings, pass_settings


class _GatewayGroup(AppGroup):
    sections = (("Commands", ("stdio", "try", "kill", "revive")),)


@click.group(
    "gateway",
    cls=_GatewayGroup,
    short_help="Wrap a server; try a policy; kill and revive.",
)
def gateway() -> None:
    """Wrap one server, try a policy, or kill and revive at a gateway."""


gateway.add_command(stdio)


_config_option = click.option(
    "--config", metavar="FILE", required=True, help="The answerable.yaml."
)


@gateway.command(
    "try", cls=AppCommand, short_help="Replay recent calls against a file."
)
@_config_option
@pass_settings
def attempt(settings: Settings, config: str) -> None:
    """Ask the running gateway what FILE would have decided on its recent calls.

    Each worker decides again on its last 2,000 calls. Nothing takes effect; a reload
    does the same, and logs the result. The gateway is found by the store and the state
    of FILE.
    """
    from answerable.cli.output import print_and_exit
    from answerable.connectors.config.parse.config_faults import ConfigError
    from answerable.gateway.serve.operator_socket import request_policy_trial
    from answerable.usecases.authorization.policy_replay_document import (
        build_replay_document,
    )

    plan = read_gateway_plan(settings, config, policies=True)
    if not plan.policy.whole:
        faulty = ConfigError(plan.config.place, plan.reading.faults)
        for line in faulty.lines[1:]:
            click.echo(line, err=True)
        raise faulty
    tried = request_policy_trial(plan.state, plan.policy)
    print_and_exit(build_replay_document(tried.digest, tried.replayed), settings)


# The same commands as `answerable kill` and `answerable revive`, under an older name.
gateway.add_command(kill)
gateway.add_command(revive)
