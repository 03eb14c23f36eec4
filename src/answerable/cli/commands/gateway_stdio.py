"""`gateway stdio`: run the gateway over standard streams before one MCP server."""

import click

from answerable.cli.settings import (
    AppCommand,
    Settings,
    find_named_and_default_store,
    pass_settings,
)


@click.command(cls=AppCommand, short_help="Wrap a server that a client starts.")
@click.option(
    "--config",
    metavar="FILE",
    required=True,
    help="Configuration file (answerable.yaml).",
)
@click.option(
    "--server",
    metavar="NAME",
    required=True,
    help="Name of the server in the configuration.",
)
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
@pass_settings
@click.pass_context
def stdio(
    ctx: click.Context,
    settings: Settings,
    config: str,
    server: str,
    command: tuple[str, ...],
) -> None:
    """Serve MCP over standard streams, in front of one server of a configuration.

    The caller is the process that starts this command: `callers: [{stdio: NAME}]`.
    COMMAND starts the server and overrides the command of the configuration; a server
    with a URL is called at that URL. The exit code is the exit code of the server.
    """
    from answerable.gateway.stdio.startup import load_wrapped_server, ship_evidence
    from answerable.gateway.stdio.wrapper import wrap_server

    def tell(sentence: str) -> None:
        click.echo(f"answerable: {sentence}", err=True)

    named, usual = find_named_and_default_store(settings)
    wrapped = load_wrapped_server(config, server, command, named, usual)
    code = wrap_server(wrapped, tell)
    ship_evidence(wrapped, tell)
    ctx.exit(code)
