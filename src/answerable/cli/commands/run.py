"""`run`: starts an agent that the token service knows before it begins."""

import click

from answerable.cli.settings import Settings, Verb, pass_settings

_USUAL = "/run/answerable/sts.sock"


@click.command(
    cls=Verb,
    short_help="Start an agent with an attested identity.",
    context_settings={"allow_interspersed_args": False},
)
@click.option("--agent", metavar="NAME", required=True, help="Which agent it is.")
@click.option("--user", metavar="USER", default="", help="Run it as this user.")
@click.option(
    "--sts",
    metavar="SOCKET",
    envvar="ANSWERABLE_STS",
    default=_USUAL,
    help=f"The token service; $ANSWERABLE_STS, else {_USUAL}.",
)
@click.option(
    "--agent-file",
    "files",
    metavar="FILE",
    multiple=True,
    help="A file of its configuration, to be digested; may be repeated.",
)
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS...]")
@pass_settings
@click.pass_context
def run(
    ctx: click.Context,
    settings: Settings,
    agent: str,
    user: str,
    sts: str,
    files: tuple[str, ...],
    command: tuple[str, ...],
) -> None:
    """Start COMMAND as an agent, and end as it does.

    Before COMMAND runs its first instruction, the token service has been told, has asked
    the kernel who started it and as whom it will run, and has found a rule that lets
    them. What COMMAND starts in turn belongs to it. No key is written anywhere.

    As its own user (--user, which takes root) it is told apart from whoever started it.
    Without, any process of that user can pass for it, and a line says so.
    """
    from answerable.model.ids import AgentId, agent_id
    from answerable.serving.launcher.launch import Start, launch

    named = (
        AgentId(agent) if agent.startswith("agent:") else agent_id("declared", agent)
    )
    start = Start(named, command, user, sts, files, settings.quiet)
    ctx.exit(launch(start, lambda line: click.echo(f"answerable: {line}", err=True)))
