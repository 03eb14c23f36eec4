"""`break-glass`: sign a short exception from a policy, by two persons."""

import time

import click

from answerable.cli.commands.asks import (
    format_agent_and_act,
    open_store_for_signing,
    print_act_to_sign,
    warn_of_shared_user,
)
from answerable.cli.output import print_and_exit
from answerable.cli.settings import AppCommand, AppGroup, Settings, pass_settings
from answerable.cli.signing import add_key_options, load_signer
from answerable.model.errors import UsageError
from answerable.presentation.signed_act_text import ANY_ARGUMENTS, describe_arguments
from answerable.presentation.time_input import parse_span

_MAX_LIFE = 4 * 3600 * 10**9


class _BreakGlassGroup(AppGroup):
    sections = (("Commands", ("start", "confirm")),)


@click.group(
    "break-glass",
    cls=_BreakGlassGroup,
    short_help="Override a policy briefly; two people sign.",
)
def break_glass() -> None:
    """Override a policy for a short time, with the signatures of two persons.

    A break-glass does not override a kill, a quarantine or an error. It is visible in
    the log and metrics of the gateway, in `decision`, and in `trace`.
    """


@break_glass.command(cls=AppCommand, short_help="Sign the first half of the override.")
@click.option(
    "--agent", required=True, metavar="ID", help="Agent whose calls are allowed."
)
@click.option(
    "--server", required=True, metavar="NAME", help="Server that the agent may call."
)
@click.option(
    "--tool", default="", metavar="TOOL", help="Tool that the agent may call."
)
@click.option(
    "--resource", default="", metavar="URI", help="Resource that the agent may read."
)
@click.option(
    "--prompt", default="", metavar="PROMPT", help="Prompt that the agent may get."
)
@click.option(
    "--for",
    "lifetime",
    default="30m",
    metavar="SPAN",
    help="Lifetime, at most 4h.  [default: 30m]",
)
@click.option(
    "--reason-code", default="", metavar="WORD", help="Reason, e.g. an incident number."
)
@add_key_options
@pass_settings
def start(
    settings: Settings,
    agent: str,
    server: str,
    tool: str,
    resource: str,
    prompt: str,
    lifetime: str,
    reason_code: str,
    key: str,
    passphrase_file: str,
) -> None:
    """Sign the first half of a break-glass; a second person has to confirm it.

    Both persons must be attested owners in this store, and one person must own this
    agent. The
    lifetime starts with this signature.
    """
    from answerable.model.approval_request import ApprovalScope
    from answerable.model.decision import TargetKind
    from answerable.model.ids import AgentId
    from answerable.usecases.authorization import answer_approval_requests
    from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm

    named = {
        TargetKind.TOOL: tool,
        TargetKind.RESOURCE: resource,
        TargetKind.PROMPT: prompt,
    }
    given = [(target, name) for target, name in named.items() if name]
    if len(given) != 1:
        raise UsageError(
            "expected exactly one of --tool, --resource and --prompt (got "
            f"{len(given)})",
            "name one tool, one resource or one prompt of the server",
        )
    answer_approval_requests.parse_reason_code(reason_code, "--reason-code")
    (target, name), term = (
        given[0],
        ExceptionTerm(parse_span(lifetime, "--for", _MAX_LIFE), True, reason_code),
    )
    wanted = ApprovalScope(AgentId(agent), server, target, name, "")
    with open_store_for_signing(settings, "") as (session, _):
        print_act_to_sign(
            settings,
            f"you allow {format_agent_and_act(wanted)}, {ANY_ARGUMENTS}, for "
            f"{lifetime}, once a second person confirms",
        )
        signer = load_signer(key, passphrase_file)
        document = answer_approval_requests.start_break_glass(
            session.store, wanted, signer, term, now=time.time_ns()
        )
    print_and_exit(document, settings)


@break_glass.command(
    cls=AppCommand, short_help="Sign the second half as a different person."
)
@click.argument("amendment", metavar="ID")
@add_key_options
@pass_settings
def confirm(settings: Settings, amendment: str, key: str, passphrase_file: str) -> None:
    """Confirm the break-glass ID within an hour, as a second person.

    A running gateway applies the break-glass within a second. `answerable asks revoke`
    ends it early.
    """
    from answerable.presentation.answer_coverage import format_time
    from answerable.services.authorization import approval_requests
    from answerable.services.statements.policy_exceptions import read_policy_exceptions
    from answerable.usecases.authorization import answer_approval_requests

    with open_store_for_signing(settings, "") as (session, _):
        judged = read_policy_exceptions(session.store, session.now).statuses
        begun = approval_requests.find_policy_exception(judged, amendment).exception
        persons, until = " and ".join(begun.persons), format_time(begun.until * 10**9)
        these = describe_arguments(begun.arguments)
        how = these if begun.arguments else ANY_ARGUMENTS
        print_act_to_sign(
            settings,
            f"with {persons} you allow {format_agent_and_act(begun)}, {how}, until "
            f"{until}",
        )
        signer = load_signer(key, passphrase_file)
        document = answer_approval_requests.confirm_break_glass(
            session.store, amendment, signer, now=time.time_ns()
        )
        note = warn_of_shared_user(session, document)
    print_and_exit(document, settings, note=note)
