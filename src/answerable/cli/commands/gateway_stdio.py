"""`gateway stdio`: one MCP server over standard streams, for clients that start it."""

import click

from answerable.cli.settings import Settings, Verb, config_places, pass_settings


@click.command(cls=Verb, short_help="Wrap one server for a client that starts it.")
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
    from answerable.gateway.stdio.startup import keep, read_wrapped
    from answerable.gateway.stdio.wrapper import wrap

    def tell(sentence: str) -> None:
        click.echo(f"answerable: {sentence}", err=True)

    named, usual = config_places(settings)
    wrapped = read_wrapped(config, server, command, named, usual)
    code = wrap(wrapped, tell)
    keep(wrapped, tell)
    ctx.exit(code)
