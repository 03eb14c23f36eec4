"""`asks`: approval requests of agents, and the statements of their owners."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from answerable.cli.commands.decisions import gateway_of
from answerable.cli.output import answer
from answerable.cli.session import Session, opened
from answerable.cli.settings import Settings, Verb, Verbs, Word, pass_settings
from answerable.cli.signing import key_options, only_a_person, same_user, signer_of
from answerable.model.errors import UsageError
from answerable.presentation.act_text import ANY_ARGUMENTS, act_words, these_arguments
from answerable.presentation.text import quoted, safe
from answerable.presentation.time_input import moment, span

if TYPE_CHECKING:
    from answerable.model.approval_request import Wanted
    from answerable.model.documents.core import Document
    from answerable.model.policy_exception import Amendment
    from answerable.services.authorization.approval_requests import Ask
    from answerable.services.authorization.decision_records import Spooled

_LONGEST = 366 * 86_400 * 10**9
_STATES = ("open", "allowed", "refused", "expired")


class _Asks(Verbs):
    sections = (("Commands", ("show", "allow", "refuse", "revoke", "amendments")),)


config_option = click.option(
    "--config",
    metavar="FILE",
    default="",
    help="The gateway's answerable.yaml, which names its spool.",
)


@click.group(
    "asks",
    cls=_Asks,
    invoke_without_command=True,
    short_help="Approval requests, and the owners' answers.",
)
@click.option("--state", type=Word(_STATES), default="", help="Only those.")
@click.option("--agent", default="", metavar="ID", help="Only this agent's.")
@click.option("--since", default="7d", metavar="T", help="Since this time; 7d.")
@config_option
@pass_settings
@click.pass_context
def asks(
    ctx: click.Context,
    settings: Settings,
    state: str,
    agent: str,
    since: str,
    config: str,
) -> None:
    """List blocked acts of agents that their owners could allow.

    An act of an agent with the same arguments is one approval request, however often it
    was tried. A request without an answer expires after a day.
    """
    if ctx.invoked_subcommand is not None:
        return
    from answerable.services.authorization import approval_requests as flow

    spool, _ = gateway_of(settings, config)
    with opened(settings) as session:
        document = flow.asks(
            session.store,
            spool,
            now=session.now,
            since=moment(since, session.now, "--since"),
            state=state,
            agent=agent,
        )
    answer(document, settings)


@asks.command(cls=Verb, short_help="Show one approval request.")
@click.argument("ask", metavar="ID")
@config_option
@pass_settings
def show(settings: Settings, ask: str, config: str) -> None:
    """Show one ask. ID is that of any decision on it, or the first letters of it."""
    from answerable.services.authorization import approval_requests as flow
    from answerable.services.authorization.decision_records import spooled
    from answerable.services.authorization.value_provenance import provenance

    spool, _ = gateway_of(settings, config)
    with opened(settings) as session:
        document = flow.show(session.store, spool, ask, now=session.now)
        found = flow.find(session.store, spooled(spool), ask)
        lines = provenance(session.store, spooled(spool), found).lines
    answer(document, settings, note="\n".join(map(safe, lines)))


@asks.command(cls=Verb, short_help="Sign that the agent may do it.")
@click.argument("ask", metavar="ID")
@key_options
@click.option("--for", "life", default="", metavar="SPAN", help="Lifetime; 1h.")
@click.option("--always", is_flag=True, help="Without an expiry.")
@click.option("--any-arguments", is_flag=True, help="With any arguments.")
@config_option
@pass_settings
def allow(
    settings: Settings,
    ask: str,
    key: str,
    passphrase_file: str,
    life: str,
    always: bool,
    any_arguments: bool,
    config: str,
) -> None:
    """Sign a policy exception: the agent of the request ID may do just that.

    Only the attested owner of the agent may sign, and no agent. A running gateway
    allows the same call within a second; with other arguments only if --any-arguments
    was given.
    """
    from answerable.services.authorization import approval_requests as flow
    from answerable.usecases.authorization import answer_approvals
    from answerable.usecases.authorization.answer_approvals import Term

    if always and life:
        raise UsageError("--always and --for are two answers", "give one of them")
    term = Term(0 if always else span(life or "1h", "--for", _LONGEST), any_arguments)
    with signing(settings, config) as (session, waiting):
        found = flow.find(session.store, waiting, ask)
        wanted = found.wanted
        these = these_arguments(wanted.arguments)
        how = ANY_ARGUMENTS if any_arguments else these
        until = "until it is taken back" if always else f"for {life or '1h'}"
        say(settings, f"you let {act_line(wanted)}, {how}, {until}")
        say_provenance(settings, session, waiting, found)
        signer = signer_of(key, passphrase_file)
        document = answer_approvals.allow(
            session.store, waiting, ask, signer, term, now=time.time_ns()
        )
        note = advice(session, document)
    answer(document, settings, note=note)


@asks.command(cls=Verb, short_help="Sign that the agent may not do it.")
@click.argument("ask", metavar="ID")
@key_options
@config_option
@pass_settings
def refuse(
    settings: Settings, ask: str, key: str, passphrase_file: str, config: str
) -> None:
    """Sign a refusal: the agent of the request ID may not do that.

    Only the attested owner of the agent may sign, and no agent.
    """
    from answerable.services.authorization import approval_requests as flow
    from answerable.usecases.authorization import answer_approvals

    with signing(settings, config) as (session, waiting):
        found = flow.find(session.store, waiting, ask)
        wanted = found.wanted
        how = these_arguments(wanted.arguments)
        say(settings, f"you do not let {act_line(wanted)}, {how}")
        say_provenance(settings, session, waiting, found)
        signer = signer_of(key, passphrase_file)
        document = answer_approvals.refuse(
            session.store, waiting, ask, signer, now=time.time_ns()
        )
    answer(document, settings)


@asks.command(cls=Verb, short_help="Revoke a policy exception.")
@click.argument("amendment", metavar="ID")
@key_options
@pass_settings
def revoke(settings: Settings, amendment: str, key: str, passphrase_file: str) -> None:
    """Revoke the exception ID; a running gateway applies it within a second.

    Its signer and the attested owner of the agent may. No agent may.
    """
    from answerable.usecases.authorization import answer_approvals

    with signing(settings, "") as (session, _):
        signer = signer_of(key, passphrase_file)
        document = answer_approvals.revoke(
            session.store, amendment, signer, now=time.time_ns()
        )
    answer(document, settings)


@asks.command(cls=Verb, short_help="List policy exceptions and their states.")
@pass_settings
def amendments(settings: Settings) -> None:
    """List every amendment, break-glass included, and why one does not stand."""
    from answerable.services.authorization import approval_requests as flow

    with opened(settings) as session:
        document = flow.amendments(session.store, now=session.now)
    answer(document, settings)


@contextmanager
def signing(settings: Settings, config: str) -> "Iterator[tuple[Session, Spooled]]":
    """Open the store and read the spool for a person who signs.

    Raises:
        AgentAbove: An agent started this command, or its starter is not known.
    """
    from answerable.services.authorization.decision_records import spooled

    only_a_person(settings)
    spool, _ = gateway_of(settings, config)
    with opened(settings, writes=True) as session:
        yield session, spooled(spool)


def say(settings: Settings, sentence: str) -> None:
    """Print what is about to be signed, before the passphrase prompt."""
    if not settings.quiet:
        click.echo(safe(sentence), err=True)


def say_provenance(
    settings: Settings, session: Session, waiting: "Spooled", ask: "Ask"
) -> None:
    """Print the values of a requested call, their authors, and earlier answers."""
    from answerable.services.authorization.approval_requests import item
    from answerable.services.authorization.value_provenance import provenance
    from answerable.services.statements.policy_exceptions import held

    for line in provenance(session.store, waiting, ask).lines:
        say(settings, line)
    known = item(ask, held(session.store, session.now), session.now)
    if known["by"]:
        until = f", until {known['until']}" if known["until"] else ""
        say(settings, f"answered already: {known['state']} by {known['by'][0]}{until}")


def act_line(wanted: "Wanted | Amendment") -> str:
    """Format the agent and the act of a statement, with untrusted names quoted."""
    return f"{quoted(wanted.agent)} do this: {act_words(wanted)}"


def advice(session: Session, document: "Document") -> str:
    """Return a warning if the agent runs as the signer's own user."""
    return same_user(session.inventory(), str(document.items[0]["agent"]))
