"""`gateway`: what an operator does with a gateway, running or not."""

import click

from answerable.cli.commands.gateway_stdio import stdio
from answerable.cli.commands.serve import state_folder
from answerable.cli.settings import Settings, Verb, Verbs, pass_settings


class _Gateway(Verbs):
    sections = (("Commands", ("stdio", "kill", "revive")),)


@click.group("gateway", cls=_Gateway, short_help="Wrap a server; kill and revive.")
def gateway() -> None:
    """Wrap one server, or kill and revive at a gateway, running or not."""


gateway.add_command(stdio)


_config = click.option(
    "--config", metavar="FILE", required=True, help="The answerable.yaml."
)


@gateway.command(cls=Verb, short_help="Stop all that a subject does, within a second.")
@click.argument("subject")
@_config
@pass_settings
def kill(settings: Settings, subject: str, config: str) -> None:
    """Stop all that SUBJECT does at the gateway, in every mode, until it is revived.

    SUBJECT is agent:..., run:RUN, principal:PRINCIPAL, server:NAME, or
    tool:mcp/SERVER/TOOL. Open streams are cut.
    """
    from answerable.gateway.kills import KillFile

    KillFile(state_folder(settings, config)).kill(subject)


@gateway.command(cls=Verb, short_help="Take a kill back.")
@click.argument("subject")
@_config
@pass_settings
def revive(settings: Settings, subject: str, config: str) -> None:
    """Take back the kill of SUBJECT."""
    from answerable.gateway.kills import KillFile

    KillFile(state_folder(settings, config)).revive(subject)
