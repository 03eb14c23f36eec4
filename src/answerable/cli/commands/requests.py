"""`requests`: requests that persons file for agents."""

import sys
import time

import click

from answerable.cli.commands.asks import say
from answerable.cli.output import answer
from answerable.cli.session import opened
from answerable.cli.settings import Settings, Verb, Verbs, pass_settings
from answerable.cli.signing import key_options, only_a_person, signer_of
from answerable.connectors.named_file import open_named
from answerable.connectors.user_path import expanded
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.person_request import LONGEST
from answerable.presentation.text import quoted
from answerable.presentation.time_input import span

_MOST = 1 << 20  # bytes of a request


class _Requests(Verbs):
    sections = (("Commands", ("file",)),)


@click.group(
    "requests",
    cls=_Requests,
    invoke_without_command=True,
    short_help="Requests that persons filed for agents.",
)
@click.option("--agent", default="", metavar="ID", help="Only this agent's.")
@pass_settings
@click.pass_context
def requests(ctx: click.Context, settings: Settings, agent: str) -> None:
    """List the requests that persons have filed, newest first.

    A request explains values in the calls of an agent that has a baseline, in runs for
    the person who filed it. It allows no tool, and lifts no rule, kill or quarantine.
    """
    if ctx.invoked_subcommand is not None:
        return
    from answerable.usecases.evidence import filed_requests as flow

    with opened(settings) as session:
        document = flow.listed(session.store, now=session.now, agent=_named(agent))
    answer(document, settings)


@requests.command(cls=Verb, short_help="Sign what you asked an agent for.")
@click.argument("agent", metavar="AGENT")
@click.argument("text", metavar="[FILE]", default="-")
@click.option(
    "--value",
    "values",
    metavar="VALUE",
    multiple=True,
    help="A value that it names, as in a call; may be repeated.",
)
@click.option("--run", default="", metavar="RUN", help="For this run only.")
@click.option("--for", "life", default="1h", metavar="SPAN", help="Lifetime; 1h.")
@key_options
@pass_settings
def file(
    settings: Settings,
    agent: str,
    text: str,
    values: tuple[str, ...],
    run: str,
    life: str,
    key: str,
    passphrase_file: str,
) -> None:
    """Sign what you asked AGENT for, in the words of FILE or of standard input.

    Values that it names explain the same values in calls of AGENT, in runs for you:
    addresses, accounts, paths, quoted text, and words with a capital, a digit or a
    symbol in them. The words themselves are not stored. No agent may file one. A
    running gateway applies it within a second.
    """
    filed(settings, agent, text, values, (run, life), (key, passphrase_file))


def filed(
    settings: Settings,
    agent: str,
    text: str,
    values: tuple[str, ...],
    term: tuple[str, str],
    key: tuple[str, str],
    *,
    shows: bool = True,
) -> None:
    """File a request from a file or from standard input.

    Args:
        agent: Agent that the person asks.
        text: Name of the file, `-` for standard input.
        values: Additional named values.
        term: Run, empty for any; and lifetime.
        key: Files of the key and of its passphrase.
        shows: Whether the filed request is the output of the command.
    """
    from answerable.usecases.evidence import filed_requests as flow

    only_a_person(settings)
    run, life = term
    wish = flow.Wish(
        agent=_named(agent),
        text="" if values and text == "-" else _read(text),
        named=values,
        run=run,
        life=span(life, "--for", LONGEST),
    )
    told = ", ".join(map(quoted, flow.named(wish)))
    with opened(settings, writes=True) as session:
        say(settings, f"you ask {quoted(wish.agent)} for something that names: {told}")
        signer = signer_of(*key)
        document = flow.file(session.store, wish, signer, now=time.time_ns())
    if shows:
        answer(document, settings)


def _read(name: str) -> str:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MOST + 1)
        else:
            with open_named(expanded(name)) as opened_file:
                data = opened_file.read(_MOST + 1)
        text = data.decode()
    except OSError as error:
        raise UsageError(
            f"cannot read {name} ({error.strerror})",
            "name a file with your words, or `-` for standard input",
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{name} is no text in UTF-8", "save it as UTF-8, or give --value VALUE"
        ) from None
    if len(data) > _MOST:
        raise UsageError(
            f"{name} is longer than a request (expected {_MOST} bytes at most)",
            "give what it names: --value VALUE",
        )
    return text


def _named(agent: str) -> AgentId:
    is_id = not agent or agent.startswith("agent:")
    return AgentId(agent if is_id else f"agent:declared/{agent}")
