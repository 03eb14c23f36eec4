"""`reach`, `can`, `who-can`: query the permissions of agents and identities."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from answerable.cli.commands.compare_aws import (
    COMPARISON_FLAG,
    COMPARISON_OPTIONS,
    AwsComparison,
    add_comparison_options,
)
from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.model.documents.shared_shapes import Document

VERDICTS = ("always", "only-if", "never")

_Command = TypeVar("_Command", bound=Callable[..., None])

_DIRECT = click.option(
    "--direct",
    is_flag=True,
    help="Only the subject's own permissions, without assumed roles or escalation.",
)
_CONTEXT = click.option(
    "--context",
    multiple=True,
    metavar="KEY=VALUE",
    help="Condition key of the request; may be repeated.",
)
_WITHOUT = click.option(
    "--without-context",
    multiple=True,
    metavar="KEY",
    help="Condition key that is absent from the request; may be repeated.",
)
_SESSION = click.option(
    "--session-policy",
    default="",
    metavar="FILE",
    help="File with a session policy for the subject.",
)
_ENDPOINT = click.option(
    "--endpoint-policy",
    default="",
    metavar="FILE",
    help="File with the policy of the network endpoint that the call uses.",
)


def _add_context_options(command: _Command) -> _Command:
    """Add the options for paths, condition keys and stated policies."""
    return _DIRECT(_CONTEXT(_WITHOUT(_SESSION(_ENDPOINT(command)))))


_NARROW_HINT = (
    "see answerable reach --help; --action GLOB narrows each of these listings"
)
_ROW_OPTIONS = ("resource", "limit")
_CONTEXT_OPTIONS = (
    "direct",
    "context",
    "without_context",
    "session_policy",
    "endpoint_policy",
)
_ALL_EXCLUDES = ("resource", "action")


def _check_all_options(subject: str, used: bool, compared: bool) -> None:
    """Refuse options that --all does not take.

    Raises:
        UsageError: An option restricts it to fewer identities.
    """
    hint = "see answerable reach --help; only --limit can be combined with --all"
    if subject:
        raise UsageError(
            f"SUBJECT cannot be combined with --all (got {subject[:80]!r})", hint
        )
    if used or compared:
        option = "--used" if used else COMPARISON_FLAG
        raise UsageError(f"--all cannot be combined with {option}", hint)
    source = click.get_current_context().get_parameter_source
    for name in (*_ALL_EXCLUDES, *_CONTEXT_OPTIONS, *COMPARISON_OPTIONS):
        if source(name) is ParameterSource.COMMANDLINE:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"--all cannot be combined with {option}", hint)


def _check_comparison_options(used_option: bool, compared: bool) -> None:
    """Refuse options that would have no effect.

    Raises:
        UsageError: Two options exclude each other.
    """
    if used_option and compared:
        raise UsageError(
            f"--used cannot be combined with {COMPARISON_FLAG}", _NARROW_HINT
        )
    excluded: tuple[str, ...]
    if compared:
        excluded = (*_ROW_OPTIONS, *_CONTEXT_OPTIONS)
        why = f"cannot be combined with {COMPARISON_FLAG}"
    elif used_option:
        excluded = (*_ROW_OPTIONS, *COMPARISON_OPTIONS)
        why = "cannot be combined with --used"
    else:
        excluded, why = COMPARISON_OPTIONS, f"requires {COMPARISON_FLAG}"
    source = click.get_current_context().get_parameter_source
    for name in excluded:
        if source(name) is ParameterSource.COMMANDLINE:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} {why}", _NARROW_HINT)


@click.command(cls=AppCommand, short_help="List a subject's permissions with reasons.")
@click.argument("subject", default="")
@click.option(
    "--all",
    "all_identities",
    is_flag=True,
    help="List all risky identities, most severe first.",
)
@click.option(
    "--resource",
    default="",
    metavar="GLOB",
    help="Only resources that match this pattern.",
)
@click.option(
    "--action",
    default="*",
    metavar="GLOB",
    help="Only actions that match this pattern.",
)
@click.option(
    "--limit",
    default=1000,
    show_default=True,
    type=click.IntRange(0, 1 << 31),
    help="Maximum number of rows; 0 for all.",
)
@_add_context_options
@click.option(
    "--used", is_flag=True, help="Show which actions are used, by the audit log."
)
@add_comparison_options
@pass_settings
def reach(
    settings: Settings,
    subject: str,
    all_identities: bool,
    resource: str,
    action: str,
    limit: int,
    direct: bool,
    context: tuple[str, ...],
    without_context: tuple[str, ...],
    session_policy: str,
    endpoint_policy: str,
    used: bool,
    comparison: AwsComparison | None,
) -> None:
    """List the permissions of SUBJECT, including those of roles that it can assume.

    SUBJECT is an agent, identity or credential: an id or an unambiguous name. It may
    also be an external caller in the syntax of its platform: * for anyone, a service,
    an identity
    provider, another account.

    --all lists administrators, public and externally assumable identities, and
    identities that can become others, in all accounts, most severe first.

    --used adds to each action whether it was used.
    """
    if all_identities:
        _check_all_options(subject, used, comparison is not None)
        _show_exposures(settings, limit)
        return
    if not subject and comparison is None:
        raise UsageError(
            "SUBJECT is missing (expected a SUBJECT or --all)",
            "answerable reach --help",
        )
    _check_comparison_options(used, comparison is not None)
    from answerable.services.reach.stated_request_context import parse_context_keys

    keys = parse_context_keys(context, without_context)
    with open_session(settings) as session, progress_bar(settings) as progress:
        inventory = session.load_inventory(progress)
        if comparison is not None:
            document = comparison.run(session, inventory, subject, action, progress)
        elif used:
            from answerable.usecases.aws_permissions import list_used_actions as uses

            document = uses.list_used_actions(
                session.store,
                inventory,
                subject,
                now=session.now,
                action=action,
                direct=direct,
                context=keys,
                session_policy=session_policy,
                endpoint_policy=endpoint_policy,
                progress=progress,
            )
        else:
            from answerable.usecases.reach import permissions as flow

            document = flow.list_subject_permissions(
                inventory,
                subject,
                now=session.now,
                resource=resource or "*",
                action=action,
                direct=direct,
                context=keys,
                session_policy=session_policy,
                endpoint_policy=endpoint_policy,
                limit=limit,
                progress=progress,
            )
    print_and_exit(document, settings, note=_hint_for_truncated_list(document))


def _show_exposures(settings: Settings, limit: int) -> None:
    """Print the risky identities of all accounts (`reach --all`)."""
    from answerable.usecases.aws_permissions import list_exposures as flow

    with open_session(settings) as session, progress_bar(settings) as progress:
        document = flow.list_exposures(
            session.load_inventory(progress), now=session.now, limit=limit
        )
    note = "hint: --limit 0 lists all" if "shown" in document.coverage else ""
    print_and_exit(document, settings, note=note)


def _hint_for_truncated_list(document: "Document") -> str:
    """Return a hint for lists that are cut."""
    if "shown" not in document.coverage:
        return ""
    return (
        "hint: --limit 0 lists all rows; --action, --resource and --direct narrow the "
        "list"
    )


@click.command(cls=AppCommand, short_help="Check one permission and show the proof.")
@click.argument("subject")
@click.argument("action")
@click.argument("resource")
@click.option(
    "--expect",
    default="",
    type=WordChoice(VERDICTS),
    help="Expected verdict: exit 1 if it differs, 3 if it is not certain.",
)
@click.option(
    "--assume",
    multiple=True,
    metavar="NAME,...",
    help="Assumption that --expect accepts, e.g. resource-policies; may be repeated.",
)
@_add_context_options
@pass_settings
def can(
    settings: Settings,
    subject: str,
    action: str,
    resource: str,
    expect: str,
    assume: tuple[str, ...],
    direct: bool,
    context: tuple[str, ...],
    without_context: tuple[str, ...],
    session_policy: str,
    endpoint_policy: str,
) -> None:
    """Decide if SUBJECT can do ACTION on RESOURCE: always, only-if, never or not-known.

    The proof names the determining statements, the path, and the party that sets the
    key of each unresolved condition.

    --expect requires a verdict without assumptions. If the verdict is not known or has
    an assumption, the exit code is 3; --assume accepts an assumption by its name under
    `assuming`.
    """
    if assume and not expect:
        raise UsageError("--assume requires --expect", "answerable can --help")
    from answerable.services.reach.stated_request_context import parse_context_keys
    from answerable.usecases.reach import permissions as flow

    with open_session(settings) as session, progress_bar(settings) as progress:
        document = flow.check_permission(
            session.load_inventory(progress),
            subject,
            action,
            resource,
            now=session.now,
            context=parse_context_keys(context, without_context),
            session_policy=session_policy,
            endpoint_policy=endpoint_policy,
            direct=direct,
            expect=expect,
            assume=assume,
        )
    note = (
        f"warning: the verdict differs from --expect {expect}"
        if document.failed
        else ""
    )
    if document.undecided:
        note = f"warning: --expect {expect} is not certain: {document.undecided}"
    print_and_exit(document, settings, note=note)


@click.command(
    "who-can", cls=AppCommand, short_help="List the identities that have a permission."
)
@click.argument("action")
@click.argument("resource")
@click.option(
    "--limit",
    default=200,
    show_default=True,
    type=click.IntRange(0, 1 << 31),
    help="Maximum number of callers; 0 for all.",
)
@_add_context_options
@pass_settings
def who_can(
    settings: Settings,
    action: str,
    resource: str,
    limit: int,
    direct: bool,
    context: tuple[str, ...],
    without_context: tuple[str, ...],
    session_policy: str,
    endpoint_policy: str,
) -> None:
    """List the identities that can do ACTION on RESOURCE, with their paths."""
    from answerable.services.reach.stated_request_context import parse_context_keys
    from answerable.usecases.reach import permissions as flow

    with open_session(settings) as session, progress_bar(settings) as progress:
        document = flow.list_who_can(
            session.load_inventory(progress),
            action,
            resource,
            now=session.now,
            direct=direct,
            context=parse_context_keys(context, without_context),
            session_policy=session_policy,
            endpoint_policy=endpoint_policy,
            limit=limit,
        )
    note = "hint: --limit 0 lists all" if "shown" in document.coverage else ""
    print_and_exit(document, settings, note=note)
