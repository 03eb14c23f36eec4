"""`asks`: list approval requests of agents, and sign their owners' decisions."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from answerable.cli.commands.decisions import find_decision_sources
from answerable.cli.output import print_and_exit
from answerable.cli.session import StoreSession, open_session
from answerable.cli.settings import (
    AppCommand,
    AppGroup,
    Settings,
    WordChoice,
    pass_settings,
)
from answerable.cli.signing import (
    add_key_options,
    describe_shared_user,
    load_signer,
    require_human,
)
from answerable.model.errors import UsageError
from answerable.presentation.signed_act_text import (
    ANY_ARGUMENTS,
    describe_act,
    describe_arguments,
)
from answerable.presentation.text import quote, sanitize
from answerable.presentation.time_input import parse_span, parse_time

if TYPE_CHECKING:
    from answerable.model.approval_request import ApprovalScope
    from answerable.model.documents.shared_shapes import Document
    from answerable.model.policy_exception import PolicyException
    from answerable.services.authorization.approval_requests import ApprovalRequest
    from answerable.services.authorization.decision_records import SpooledDecisions

_MAX_LIFE = 366 * 86_400 * 10**9
_STATES = ("open", "allowed", "refused", "expired")


class _AsksGroup(AppGroup):
    sections = (("Commands", ("show", "allow", "refuse", "revoke", "amendments")),)


config_option = click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Configuration file of the gateway, whose spool is also read.",
)


@click.group(
    "asks",
    cls=_AsksGroup,
    invoke_without_command=True,
    short_help="List approval requests and owners' decisions.",
)
@click.option(
    "--state", type=WordChoice(_STATES), default="", help="Only requests in this state."
)
@click.option("--agent", default="", metavar="ID", help="Only requests of this agent.")
@click.option(
    "--since",
    default="7d",
    metavar="T",
    help="Only requests since this time.  [default: 7d]",
)
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
    """List blocked calls of agents that their owners could allow.

    Repeated calls of an agent with the same arguments count as one approval request. A
    request that the owner neither allows nor refuses expires after a day.
    """
    if ctx.invoked_subcommand is not None:
        return
    from answerable.usecases.authorization import list_approval_requests

    spool, _ = find_decision_sources(settings, config)
    with open_session(settings) as session:
        document = list_approval_requests.list_approval_requests(
            session.store,
            spool,
            now=session.now,
            since=parse_time(since, session.now, "--since"),
            state=state,
            agent=agent,
        )
    print_and_exit(document, settings)


@asks.command(cls=AppCommand, short_help="Show one approval request.")
@click.argument("ask", metavar="ID")
@config_option
@pass_settings
def show(settings: Settings, ask: str, config: str) -> None:
    """Show one approval request. ID is the id, or a prefix, of a decision on it."""
    from answerable.services.authorization import approval_requests as flow
    from answerable.services.authorization.decision_records import read_spool
    from answerable.services.authorization.value_provenance import (
        describe_argument_provenance,
    )
    from answerable.usecases.authorization import list_approval_requests

    spool, _ = find_decision_sources(settings, config)
    with open_session(settings) as session:
        document = list_approval_requests.show_approval_request(
            session.store, spool, ask, now=session.now
        )
        found = flow.find_approval_request(session.store, read_spool(spool), ask)
        lines = describe_argument_provenance(
            session.store, read_spool(spool), found
        ).lines
    print_and_exit(document, settings, note="\n".join(map(sanitize, lines)))


@asks.command(cls=AppCommand, short_help="Sign an exception that allows the call.")
@click.argument("ask", metavar="ID")
@add_key_options
@click.option(
    "--for",
    "lifetime",
    default="",
    metavar="SPAN",
    help="Lifetime of the exception, e.g. 8h.  [default: 1h]",
)
@click.option(
    "--always", is_flag=True, help="Allow the call until the exception is revoked."
)
@click.option(
    "--any-arguments", is_flag=True, help="Allow the call with any arguments."
)
@config_option
@pass_settings
def allow(
    settings: Settings,
    ask: str,
    key: str,
    passphrase_file: str,
    lifetime: str,
    always: bool,
    any_arguments: bool,
    config: str,
) -> None:
    """Sign a policy exception that allows the call of the approval request ID.

    Only the attested owner of the agent may sign; an agent may not. A running gateway
    allows the call within a second, with other arguments only if --any-arguments is
    given.
    """
    from answerable.services.authorization import approval_requests as flow
    from answerable.usecases.authorization import answer_approval_requests
    from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm

    if always and lifetime:
        raise UsageError("--always cannot be combined with --for", "use one of them")
    term = ExceptionTerm(
        0 if always else parse_span(lifetime or "1h", "--for", _MAX_LIFE), any_arguments
    )
    with open_store_for_signing(settings, config) as (session, waiting):
        found = flow.find_approval_request(session.store, waiting, ask)
        wanted = found.scope
        these = describe_arguments(wanted.arguments)
        how = ANY_ARGUMENTS if any_arguments else these
        until = "until it is revoked" if always else f"for {lifetime or '1h'}"
        print_act_to_sign(
            settings, f"you allow {format_agent_and_act(wanted)}, {how}, {until}"
        )
        print_argument_provenance(settings, session, waiting, found)
        signer = load_signer(key, passphrase_file)
        document = answer_approval_requests.sign_exception(
            session.store, waiting, ask, signer, term, now=time.time_ns()
        )
        note = warn_of_shared_user(session, document)
    print_and_exit(document, settings, note=note)


@asks.command(cls=AppCommand, short_help="Sign a refusal of the call.")
@click.argument("ask", metavar="ID")
@add_key_options
@config_option
@pass_settings
def refuse(
    settings: Settings, ask: str, key: str, passphrase_file: str, config: str
) -> None:
    """Sign a refusal of the approval request ID.

    Only the attested owner of the agent may sign; an agent may not. A request that is
    allowed cannot be refused; `asks revoke` ends the policy exception.
    """
    from answerable.services.authorization import approval_requests as flow
    from answerable.usecases.authorization import answer_approval_requests

    with open_store_for_signing(settings, config) as (session, waiting):
        found = flow.find_approval_request(session.store, waiting, ask)
        answer_approval_requests.require_not_allowed(
            session.store, found, time.time_ns()
        )
        wanted = found.scope
        how = describe_arguments(wanted.arguments)
        print_act_to_sign(
            settings, f"you do not allow {format_agent_and_act(wanted)}, {how}"
        )
        print_argument_provenance(settings, session, waiting, found)
        signer = load_signer(key, passphrase_file)
        document = answer_approval_requests.sign_refusal(
            session.store, waiting, ask, signer, now=time.time_ns()
        )
    print_and_exit(document, settings)


@asks.command(cls=AppCommand, short_help="Revoke a policy exception.")
@click.argument("amendment", metavar="ID")
@add_key_options
@pass_settings
def revoke(settings: Settings, amendment: str, key: str, passphrase_file: str) -> None:
    """Revoke the policy exception ID; a gateway applies this within a second.

    Only the signer and the attested owner of the agent may revoke the exception; an
    agent may not.
    """
    from answerable.usecases.authorization import answer_approval_requests

    with open_store_for_signing(settings, "") as (session, _):
        signer = load_signer(key, passphrase_file)
        document = answer_approval_requests.sign_revocation(
            session.store, amendment, signer, now=time.time_ns()
        )
    print_and_exit(document, settings)


@asks.command(cls=AppCommand, short_help="List policy exceptions and their states.")
@pass_settings
def amendments(settings: Settings) -> None:
    """List policy exceptions and break-glasses, with the reason if one is invalid."""
    from answerable.usecases.authorization import list_approval_requests

    with open_session(settings) as session:
        document = list_approval_requests.list_policy_exceptions(
            session.store, now=session.now
        )
    print_and_exit(document, settings)


@contextmanager
def open_store_for_signing(
    settings: Settings, config: str
) -> "Iterator[tuple[StoreSession, SpooledDecisions]]":
    """Open the store and read the spool, after a check that a human runs the command.

    Raises:
        StartedByAgent: An agent started this command, or its starter is not known.
    """
    from answerable.services.authorization.decision_records import read_spool

    require_human(settings)
    spool, _ = find_decision_sources(settings, config)
    with open_session(settings, writes=True) as session:
        yield session, read_spool(spool)


def print_act_to_sign(settings: Settings, sentence: str) -> None:
    """Print the act that will be signed, before the passphrase prompt."""
    if not settings.quiet:
        click.echo(sanitize(sentence), err=True)


def print_argument_provenance(
    settings: Settings,
    session: StoreSession,
    spooled: "SpooledDecisions",
    ask: "ApprovalRequest",
) -> None:
    """Print the values of a requested call, their authors, and earlier answers."""
    from answerable.services.authorization.approval_requests import (
        build_approval_request_item,
    )
    from answerable.services.authorization.value_provenance import (
        describe_argument_provenance,
    )
    from answerable.services.statements.policy_exceptions import read_policy_exceptions

    for line in describe_argument_provenance(session.store, spooled, ask).lines:
        print_act_to_sign(settings, line)
    known = build_approval_request_item(
        ask, read_policy_exceptions(session.store, session.now), session.now
    )
    if known["by"]:
        until = f", until {known['until']}" if known["until"] else ""
        print_act_to_sign(
            settings, f"already decided: {known['state']} by {known['by'][0]}{until}"
        )


def format_agent_and_act(act: "ApprovalScope | PolicyException") -> str:
    """Format the agent and the act of a policy exception, with quoted names."""
    return f"{quote(act.agent)} to do this: {describe_act(act)}"


def warn_of_shared_user(session: StoreSession, document: "Document") -> str:
    """Return a warning if the agent runs as the signer's own user, or may do so."""
    return describe_shared_user(
        session.load_inventory(), str(document.items[0]["agent"])
    )
