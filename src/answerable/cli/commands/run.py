"""`run`: start an agent as an attested run of the token service."""

import time

import click

from answerable.cli.settings import Settings, Verb, pass_settings
from answerable.model.errors import UsageError

_KNOWN = 1.0  # seconds after which a running gateway knows what was filed
_USUAL = "/run/answerable/sts.sock"


@click.command(
    cls=Verb,
    short_help="Start an agent with an attested identity.",
    context_settings={"allow_interspersed_args": False},
)
@click.option("--agent", metavar="NAME", required=True, help="Which agent it is.")
@click.option("--user", metavar="USER", default="", help="Run it as this user.")
@click.option(
    "--env",
    "environment",
    metavar="NAME",
    multiple=True,
    help="With --user, a variable that it gets; may be repeated.",
)
@click.option(
    "--fd",
    "descriptors",
    metavar="N",
    type=click.IntRange(min=3),
    multiple=True,
    help="With --user, an open file that it gets; may be repeated.",
)
@click.option(
    "--no-pty",
    is_flag=True,
    help="With --user, share your terminal: it can type as you there.",
)
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
@click.option(
    "--request", metavar="FILE", default="", help="File what you ask it for, first."
)
@click.option("--key", metavar="FILE", default="", help="Owner key that signs that.")
@click.option(
    "--passphrase-file", metavar="FILE", default="", help="Passphrase of that key."
)
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS...]")
@pass_settings
@click.pass_context
def run(
    ctx: click.Context,
    settings: Settings,
    agent: str,
    user: str,
    environment: tuple[str, ...],
    descriptors: tuple[int, ...],
    no_pty: bool,
    sts: str,
    files: tuple[str, ...],
    request: str,
    key: str,
    passphrase_file: str,
    command: tuple[str, ...],
) -> None:
    """Start COMMAND as an agent, and end as it does.

    Before COMMAND runs its first instruction, the token service has been told, has asked
    the kernel who started it and as whom it will run, and has found a rule that lets
    them. What COMMAND starts in turn belongs to it. No key is written anywhere.

    As its own user (--user, which takes root) it is told apart from whoever started it,
    with a clean environment, no open files and a terminal of its own. Without, any
    process of that user can pass for it, and a line says so.

    With --request, what you ask it for is filed first, as `requests file` does for an
    hour, and COMMAND begins once a running gateway knows of it.
    """
    from answerable.model.ids import AgentId, agent_id
    from answerable.serving.launcher.launch import Start, launch

    named = (
        AgentId(agent) if agent.startswith("agent:") else agent_id("declared", agent)
    )
    if bool(request) != bool(key):
        raise UsageError("--request and --key go together", "give both, or neither")
    if request:
        from answerable.cli.commands.requests import filed

        filed(
            settings,
            named,
            request,
            (),
            ("", "1h"),
            (key, passphrase_file),
            shows=False,
        )
        time.sleep(_KNOWN)
    start = Start(
        agent=named,
        argv=command,
        user=user,
        environment=environment,
        descriptors=descriptors,
        shares_terminal=no_pty,
        sts=sts,
        files=files,
        quiet=settings.quiet,
    )
    ctx.exit(launch(start, lambda line: click.echo(f"answerable: {line}", err=True)))
