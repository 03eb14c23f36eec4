"""`gateway`: operator commands for a gateway."""

import click

from answerable.cli.commands.gateway_stdio import stdio
from answerable.cli.commands.kills import kill, revive
from answerable.cli.commands.serve import plan_of
from answerable.cli.settings import Settings, Verb, Verbs, pass_settings


class _Gateway(Verbs):
    sections = (("Commands", ("stdio", "try", "kill", "revive")),)


@click.group(
    "gateway", cls=_Gateway, short_help="Wrap a server; try a policy; kill and revive."
)
def gateway() -> None:
    """Wrap one server, try a policy, or kill and revive at a gateway."""


gateway.add_command(stdio)


_config = click.option(
    "--config", metavar="FILE", required=True, help="The answerable.yaml."
)


@gateway.command("try", cls=Verb, short_help="Replay recent calls against a file.")
@_config
@pass_settings
def attempt(settings: Settings, config: str) -> None:
    """Ask the running gateway what FILE would have decided on its recent calls.

    Each worker decides again on its last 2,000 calls. Nothing takes effect; a reload
    does the same, and logs the result. The gateway is found by the store and the state
    of FILE.
    """
    from answerable.cli.output import answer
    from answerable.connectors.config.parse.config_faults import ConfigError
    from answerable.gateway.serve.operator_socket import ask
    from answerable.usecases.authorization.replay_report import told

    plan = plan_of(settings, config, policies=True)
    if not plan.policy.whole:
        faulty = ConfigError(plan.config.place, plan.reading.faults)
        for line in faulty.lines[1:]:
            click.echo(line, err=True)
        raise faulty
    tried = ask(plan.state, plan.policy)
    answer(told(tried.digest, tried.replayed), settings)


# The same commands as `answerable kill` and `answerable revive`, under an older name.
gateway.add_command(kill)
gateway.add_command(revive)
