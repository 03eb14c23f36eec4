"""`hook`: decide a tool call of a coding agent's client before it is made."""

import io
import os
import select
import signal
import sys

import click

from answerable.cli.broken_streams import discard_output
from answerable.cli.settings import (
    AppCommand,
    Settings,
    WordChoice,
    find_named_and_default_store,
    pass_settings,
)

CLIENTS = ("claude-code", "cursor")  # also listed in `__main__`
BLOCK_EXIT_CODE = 2  # the only exit code that both clients take for a denial
# Raised as an exception, so that the agent's mode decides the outcome.
_ENDING_SIGNALS = (
    signal.SIGALRM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
)


@click.command(cls=AppCommand, short_help="Allow or deny a coding agent's tool calls.")
@click.argument("client", type=WordChoice(CLIENTS))
@click.option(
    "--config",
    metavar="FILE",
    required=True,
    help="Configuration file (answerable.yaml).",
)
@click.option(
    "--ask-here",
    is_flag=True,
    help="If a call needs the owner's approval, let the client prompt its user.",
)
@pass_settings
@click.pass_context
def hook(
    ctx: click.Context, settings: Settings, client: str, config: str, ask_here: bool
) -> None:
    """Decide on a tool call of CLIENT, and respond in the format of CLIENT.

    The client runs this command before each call and writes the call to standard input.
    The hook makes the same decision as the gateway, and records the call as
    self-reported. The hook is advisory, not a security boundary: a client that does not
    call the hook is not blocked.
    """
    blocks = True
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        from answerable.gateway.hook import client_protocols
        from answerable.gateway.hook.decision import decide_tool_call, load_hook_context
        from answerable.model.decision import EnforcementMode

        asked = load_hook_context(
            config, client, *find_named_and_default_store(settings)
        )
        blocks = asked.mode is EnforcementMode.ENFORCE
        act = client_protocols.parse_hook_event(
            client, _read_event(client_protocols.MAX_EVENT_BYTES + 1)
        )
        verdict = decide_tool_call(asked, act)
        blocks = blocks or not verdict.passes  # revoked: in every mode
        said = client_protocols.format_hook_answer(
            client, act, verdict, ask_here=ask_here
        )
        sys.stdout.buffer.write(said)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - whatever went wrong, the answer is no
        ctx.exit(_report_failure(error, is_blocking=blocks))


def _read_event(size: int) -> bytes:
    """Read standard input to its end, at most `size` bytes.

    A buffered read handles a signal only when more bytes arrive, and a client that ends
    the hook may keep the pipe open. A signal therefore wakes this one.
    """
    try:
        number = sys.stdin.buffer.fileno()
    except io.UnsupportedOperation:  # bytes in memory
        return sys.stdin.buffer.read(size)
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    try:
        found = b""
        while len(found) < size:
            select.select([number, waking], [], [])  # the handler of a signal raises
            block = os.read(number, min(size - len(found), 1 << 16))
            if not block:
                break
            found += block
        return found
    finally:
        signal.set_wakeup_fd(-1)
        os.close(waking)
        os.close(woken)


def _report_failure(error: BaseException, *, is_blocking: bool) -> int:
    """Print why there is no decision; return the exit code even if that fails."""
    discard_output(sys.stdout)
    why = getattr(error, "message", "") or f"internal error ({type(error).__name__})"
    try:
        click.echo(f"answerable: no decision: {why}", err=True)
    except OSError:
        discard_output(sys.stderr)
    return BLOCK_EXIT_CODE if is_blocking else 0
