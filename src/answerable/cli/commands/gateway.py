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
    short_help="Wrap servers, test policies, kill and revive.",
)
def gateway() -> None:
    """Wrap a server, test a policy, or kill and revive subjects at a gateway."""


gateway.add_command(stdio)


_config_option = click.option(
    "--config",
    metavar="FILE",
    required=True,
    help="Configuration file (answerable.yaml).",
)


@gateway.command(
    "try", cls=AppCommand, short_help="Replay recent calls against a policy."
)
@_config_option
@pass_settings
def attempt(settings: Settings, config: str) -> None:
    """Replay the recent calls of the running gateway against the policies of FILE.

    Each worker evaluates its last 2,000 calls again. Nothing takes effect; a reload
    does the same and logs the result. FILE names the store and the state of the
    gateway.
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
