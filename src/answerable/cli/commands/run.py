"""`run`: start an agent as an attested run of the token service."""

import time

import click

from answerable.cli.settings import AppCommand, Settings, pass_settings
from answerable.model.errors import UsageError

_NOTICE_SECONDS = 1.0  # seconds until a running gateway knows a filed request
_DEFAULT_SOCKET = "/run/answerable/sts.sock"


@click.command(
    cls=AppCommand,
    short_help="Start an agent with an attested identity.",
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--agent", metavar="NAME", required=True, help="Id of the agent to start."
)
@click.option("--user", metavar="USER", default="", help="User that runs the agent.")
@click.option(
    "--env",
    "environment",
    metavar="NAME",
    multiple=True,
    help="With --user, environment variable to pass; may be repeated.",
)
@click.option(
    "--fd",
    "descriptors",
    metavar="N",
    type=click.IntRange(min=3),
    multiple=True,
    help="With --user, file descriptor to pass; may be repeated.",
)
@click.option(
    "--no-pty",
    is_flag=True,
    help="With --user, share your terminal; the agent can type as you.",
)
@click.option(
    "--sts",
    metavar="SOCKET",
    envvar="ANSWERABLE_STS",
    default=_DEFAULT_SOCKET,
    help="URL or socket of the token service.  [default: $ANSWERABLE_STS, or "
    f"{_DEFAULT_SOCKET}]",
)
@click.option(
    "--agent-file",
    "files",
    metavar="FILE",
    multiple=True,
    help="Configuration file of the agent, to record its hash; may be repeated.",
)
@click.option(
    "--request",
    metavar="FILE",
    default="",
    help="File with your request, recorded before the agent starts.",
)
@click.option(
    "--key", metavar="FILE", default="", help="Owner key that signs the request."
)
@click.option(
    "--passphrase-file",
    metavar="FILE",
    default="",
    help="File with the passphrase of the owner key.",
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
    """Start COMMAND as an agent, and exit with its exit code.

    Before COMMAND executes, the token service reads from the kernel which user started
    it and as which user it runs, and finds a matching rule. Child processes of COMMAND
    belong to
    the run. No key is written to disk.

    With --user, which requires root, COMMAND runs as its own user with a clean
    environment, no open files and its own terminal. Without --user, any process of your
    user can impersonate COMMAND, and a warning is printed.

    With --request, your request is first filed for one hour, as with `requests file`,
    and COMMAND starts once a running gateway has loaded it.
    """
    from answerable.model.ids import AgentId, build_agent_id
    from answerable.server.launcher.agent_launch import AgentStart, launch_agent

    named = (
        AgentId(agent)
        if agent.startswith("agent:")
        else build_agent_id("declared", agent)
    )
    if bool(request) != bool(key):
        raise UsageError(
            "--request and --key require each other", "give both options or neither"
        )
    if request:
        from answerable.cli.commands.requests import sign_and_file_request

        sign_and_file_request(
            settings,
            named,
            request,
            (),
            ("", "1h"),
            (key, passphrase_file),
            prints_result=False,
        )
        time.sleep(_NOTICE_SECONDS)
    start = AgentStart(
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
    ctx.exit(
        launch_agent(start, lambda line: click.echo(f"answerable: {line}", err=True))
    )
