"""`gateway`: what an operator does with a gateway, running or not."""

from typing import TYPE_CHECKING

import click

from answerable.cli.commands.gateway_stdio import stdio
from answerable.cli.commands.serve import plan_of
from answerable.cli.settings import Settings, Verb, Verbs, pass_settings

if TYPE_CHECKING:
    from answerable.gateway.serve.plan import Plan
    from answerable.serving.killing import Kills


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


@gateway.command("try", cls=Verb, short_help="What a file would have decided lately.")
@_config
@pass_settings
def attempt(settings: Settings, config: str) -> None:
    """Ask the gateway that runs what FILE would have decided on its last calls.

    Each worker decides anew on the last 2,000 calls that it was asked for. Nothing
    comes into force by that; a reload does the same, and says it in the log. The
    gateway is found by the store and the state of FILE.
    """
    from answerable.cli.emit import answer
    from answerable.connectors.config.parse.faults import ConfigError
    from answerable.flows.tried import told
    from answerable.gateway.serve.operator import ask

    plan = plan_of(settings, config, policies=True)
    if not plan.policy.whole:
        faulty = ConfigError(plan.config.place, plan.reading.faults)
        for line in faulty.lines[1:]:
            click.echo(line, err=True)
        raise faulty
    tried = ask(plan.state, plan.policy)
    answer(told(tried.digest, tried.replayed), settings)


@gateway.command(cls=Verb, short_help="Stop all that a subject does, within a second.")
@click.argument("subject")
@_config
@pass_settings
def kill(settings: Settings, subject: str, config: str) -> None:
    """Stop all that SUBJECT does at the gateway, in every mode, until it is revived.

    SUBJECT is agent:..., run:RUN, person:..., principal:PRINCIPAL, server:NAME, or
    tool:mcp/SERVER/TOOL. Open streams are cut. The token service of the same file gives
    an agent, a person or a run nothing more, as by `sts kill`.
    """
    from answerable.cli.commands.kills import told, warn_misspelled
    from answerable.serving.killing import operator

    plan = plan_of(settings, config)
    done = _kills_of(plan).kill(subject, operator())
    warn_misspelled(subject, plan.config)
    told(subject, done)


@gateway.command(cls=Verb, short_help="Take a kill back.")
@click.argument("subject")
@_config
@pass_settings
def revive(settings: Settings, subject: str, config: str) -> None:
    """Take back the kill of SUBJECT, at the token service of the same file too.

    It lets something go on, so an agent may not.
    """
    from answerable.cli.commands.kills import told_back
    from answerable.cli.signing import only_a_person
    from answerable.serving.state import token_state

    plan = plan_of(settings, config)
    only_a_person(settings, token_state(plan.config.sts, plan.store) / "runs")
    told_back(subject, _kills_of(plan).revive(subject))


def _kills_of(plan: "Plan") -> "Kills":
    """Find the kills. They may lie where a store is yet to be, so that is made first.

    One that is there is left alone: no kill waits for whoever writes to it.
    """
    from answerable.serving.killing import Kills
    from answerable.serving.stored import make_store

    if not plan.store.exists():
        make_store(plan.store)
    return Kills(plan.store, plan.config)
