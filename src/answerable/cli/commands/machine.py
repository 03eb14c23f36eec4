"""`doctor`, `demo`, `completion`: check, demonstrate and complete this tool."""

from typing import TYPE_CHECKING

import click

from answerable.cli.output import print_and_exit
from answerable.cli.settings import (
    AppCommand,
    HomeUnknown,
    Settings,
    WordChoice,
    find_store,
    pass_settings,
)
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import AnswerableError

if TYPE_CHECKING:
    from answerable.model.documents.shared_shapes import Document


@click.command(cls=AppCommand, short_help="Check installation, store and machine.")
@click.option(
    "--server",
    default="",
    metavar="URL",
    help="Check a running server instead: http(s)://HOST:PORT or unix:PATH.",
)
@click.option("--ca", default="", metavar="FILE", help="CA certificates of the server.")
@pass_settings
def doctor(settings: Settings, server: str, ca: str) -> None:
    """Check the features of this machine, with a remedy for each that is missing.

    With --server, check the readiness and the metrics of a running server; each fault
    names its runbook.
    """
    import time

    if server:
        from answerable.server.health_client import fetch_page
        from answerable.usecases.operations.server_check import check_server

        ready = fetch_page(server, "/readyz", ca)
        document = check_server(ready, fetch_page(server, "/metrics", ca), server)
        print_and_exit(document, settings)

    from answerable.usecases.operations import doctor as flow

    root, _ = find_store(settings)
    document = flow.check_installation(
        root, now=time.time_ns(), protection=_find_protection(settings)
    )
    print_and_exit(document, settings)


def _find_protection(settings: Settings) -> "Document | AnswerableError | None":
    """Return the status of the clients of a protected home; None for any other."""
    from answerable.cli.commands.protect import find_config, load_status
    from answerable.server.client_protection_status import is_protected

    try:
        path = find_config("")
        return load_status(settings, path)[0] if is_protected(path) else None
    except HomeUnknown:
        return None
    except AnswerableError as error:
        return error


@click.command(cls=AppCommand, short_help="Run a demonstration on sample data.")
@click.option(
    "--keep",
    default="",
    metavar="DIR",
    help="Folder in which to keep the sample data and store.",
)
@click.option(
    "--serve", is_flag=True, help="Serve the demonstration to a browser until Ctrl-C."
)
@click.pass_context
def demo(ctx: click.Context, keep: str, serve: bool) -> None:
    """Write sample data to a temporary folder and run every command on it.

    Then a sample agent calls its tools through the gateway, gets a baseline, follows an
    injected instruction, and is blocked. --serve shows this in a browser.

    The demo uses no external service and reads none of your files.
    """
    from answerable.cli.demo import live_demo, run_demo
    from answerable.cli.demo.demo_workspace import demo_folder
    from answerable.cli.demo.process_guard import INTERRUPTED, run_guarded
    from answerable.cli.main import main

    def shown() -> int:
        return live_demo.serve_demo(main) if serve else run_demo.run_demo(main, place)

    place = expand_user_path(keep).absolute() if keep else None
    code = run_guarded(shown, demo_folder(place))
    if code == INTERRUPTED:
        if not serve:
            raise KeyboardInterrupt
        click.echo("The demo has stopped.")
        code = 0
    ctx.exit(code)


@click.command(cls=AppCommand, short_help="Print a shell completion script.")
@click.argument("shell", type=WordChoice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell completion script for answerable's commands and options.

    \b
    bash  answerable completion bash > ~/.local/share/bash-completion/completions/answerable
    zsh   answerable completion zsh > "${fpath[1]}/_answerable"
    fish  answerable completion fish > ~/.config/fish/completions/answerable.fish
    """  # noqa: D301 - click reads the \b
    from click.shell_completion import ShellComplete, get_completion_class

    found = get_completion_class(shell)
    if found is not None:
        script = found(
            ctx.find_root().command, {}, "answerable", "_ANSWERABLE_COMPLETE"
        )
        # The template itself: bash's own `source` first runs a bash.
        click.echo(ShellComplete.source(script))
