"""`requests`: file and list signed requests of persons to agents."""

import sys
import time

import click

from answerable.cli.commands.asks import print_act_to_sign
from answerable.cli.output import print_and_exit
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, AppGroup, Settings, pass_settings
from answerable.cli.signing import add_key_options, load_signer, require_human
from answerable.connectors.regular_file import open_named_file
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.person_request import MAX_REQUEST_LIFETIME
from answerable.presentation.text import quote
from answerable.presentation.time_input import parse_span

_MAX_BYTES = 1 << 20  # bytes of a request


class _RequestsGroup(AppGroup):
    sections = (("Commands", ("file",)),)


@click.group(
    "requests",
    cls=_RequestsGroup,
    invoke_without_command=True,
    short_help="List requests that people filed for agents.",
)
@click.option("--agent", default="", metavar="ID", help="Only requests of this agent.")
@pass_settings
@click.pass_context
def requests(ctx: click.Context, settings: Settings, agent: str) -> None:
    """List the requests that persons have filed, newest first.

    A request explains values in the calls of an agent that has a baseline, in runs for
    the person who filed the request. It does not allow a tool and does not override a
    rule, a kill or a quarantine.
    """
    if ctx.invoked_subcommand is not None:
        return
    from answerable.usecases.evidence import filed_requests as flow

    with open_session(settings) as session:
        document = flow.list_requests(
            session.store, now=session.now, agent=_parse_agent(agent)
        )
    print_and_exit(document, settings)


@requests.command(
    cls=AppCommand, short_help="Sign a request that you gave to an agent."
)
@click.argument("agent", metavar="AGENT")
@click.argument("text", metavar="[FILE]", default="-")
@click.option(
    "--value",
    "values",
    metavar="VALUE",
    multiple=True,
    help="Value in the request, written as in a call; may be repeated.",
)
@click.option(
    "--run", default="", metavar="RUN", help="Run to which the request is limited."
)
@click.option(
    "--for",
    "lifetime",
    default="1h",
    metavar="SPAN",
    help="Lifetime, e.g. 8h.  [default: 1h]",
)
@add_key_options
@pass_settings
def file(
    settings: Settings,
    agent: str,
    text: str,
    values: tuple[str, ...],
    run: str,
    lifetime: str,
    key: str,
    passphrase_file: str,
) -> None:
    """Sign a request to AGENT, with the text of FILE or of standard input.

    Values in the text explain the same values in calls of AGENT, in runs for you:
    addresses, accounts, paths, quoted text, and words with a capital, a digit or a
    symbol in them. The text is not stored. An agent may not file a request. A running
    gateway applies it within a second.
    """
    sign_and_file_request(
        settings, agent, text, values, (run, lifetime), (key, passphrase_file)
    )


def sign_and_file_request(
    settings: Settings,
    agent: str,
    text: str,
    values: tuple[str, ...],
    run_and_lifetime: tuple[str, str],
    key: tuple[str, str],
    *,
    prints_result: bool = True,
) -> None:
    """Sign and file a request whose text is in a file or on standard input.

    Args:
        agent: Agent that the person asks.
        text: Name of the file, `-` for standard input.
        values: Additional named values.
        run_and_lifetime: Run, empty for any; and lifetime.
        key: Files of the key and of its passphrase.
        prints_result: Whether the filed request is the output of the command.
    """
    from answerable.usecases.evidence import filed_requests as flow

    require_human(settings)
    run, life = run_and_lifetime
    wish = flow.RequestDraft(
        agent=_parse_agent(agent),
        text="" if values and text == "-" else _read_request_text(text),
        extra_values=values,
        run=run,
        lifetime=parse_span(life, "--for", MAX_REQUEST_LIFETIME),
    )
    told = ", ".join(map(quote, flow.list_named_values(wish)))
    with open_session(settings, writes=True) as session:
        print_act_to_sign(
            settings, f"your request to {quote(wish.agent)} contains the values: {told}"
        )
        signer = load_signer(*key)
        document = flow.file_request(session.store, wish, signer, now=time.time_ns())
    if prints_result:
        print_and_exit(document, settings)


def _read_request_text(name: str) -> str:
    """Read the text of a request from a file, or `-` from standard input."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with open_named_file(expand_user_path(name)) as opened_file:
                data = opened_file.read(_MAX_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise UsageError(
            f"cannot read {name} ({error.strerror})",
            "name a file with the text of your request, or `-` for standard input",
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{name} is not UTF-8 text", "save it as UTF-8, or give --value VALUE"
        ) from None
    if len(data) > _MAX_BYTES:
        raise UsageError(
            f"{name} is too long for a request (expected at most {_MAX_BYTES} bytes)",
            "give the values that the request names: --value VALUE",
        )
    return text


def _parse_agent(agent: str) -> AgentId:
    """Convert an agent id or the name of a declared agent to an id."""
    is_id = not agent or agent.startswith("agent:")
    return AgentId(agent if is_id else f"agent:declared/{agent}")
