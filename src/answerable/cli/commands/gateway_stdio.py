"""`gateway stdio`: run the gateway over standard streams before one MCP server."""

import click

from answerable.cli.settings import (
    AppCommand,
    Settings,
    find_named_and_default_store,
    pass_settings,
)


@click.command(
    cls=AppCommand, short_help="Wrap one server for a client that starts it."
)
@click.option("--config", metavar="FILE", required=True, help="The answerable.yaml.")
@click.option("--server", metavar="NAME", required=True, help="A server of that file.")
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
    """Speak MCP over standard streams, in front of one server of a configuration.

    Its caller is the process that starts it: `callers: [{stdio: NAME}]`. COMMAND starts
    the server, else the configuration does; a server with a URL is reached there. Ends
    with the server's exit code.
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
