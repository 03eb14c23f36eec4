"""`what-if`: show the effect of a policy edit before it is made."""

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, pass_settings
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.model.documents.shared_shapes import Document

_HELP_HINT = "see answerable what-if --help"


@click.command(
    "what-if",
    cls=AppCommand,
    short_help="Show the effect of policy edits; find cuts.",
)
@click.argument("subject", default="")
@click.option(
    "--all",
    "all_identities",
    is_flag=True,
    help="Compare the permissions of all identities.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="STATEMENT",
    help="Statement to remove: POLICY#STATEMENT, or its id in other output.",
)
@click.option(
    "--without-policy", multiple=True, metavar="POLICY", help="Policy to remove."
)
@click.option(
    "--with",
    "file",
    default="",
    metavar="FILE",
    help="File with a policy document to attach.",
)
@click.option(
    "--on",
    default="",
    metavar="TARGET",
    help="Target of the attachment, instead of SUBJECT.",
)
@click.option(
    "--as",
    "layer",
    default="",
    metavar="KIND",
    help="Kind of the attached policy, e.g. identity or resource.",
)
@click.option(
    "--cuts",
    default="",
    metavar="RESOURCE",
    help="Find the smallest sets of statements whose removal ends the access to this resource.",
)
@click.option(
    "--action",
    default="*",
    metavar="GLOB",
    help="Only actions that match this pattern.",
)
@click.option(
    "--resource",
    default="",
    metavar="GLOB",
    help="Only resources that match this pattern.",
)
@click.option(
    "--limit",
    default=1000,
    show_default=True,
    type=click.IntRange(0, 1 << 31),
    help="Maximum number of items; 0 for all.",
)
@pass_settings
def what_if(
    settings: Settings,
    subject: str,
    all_identities: bool,
    without: tuple[str, ...],
    without_policy: tuple[str, ...],
    file: str,
    on: str,
    layer: str,
    cuts: str,
    action: str,
    resource: str,
    limit: int,
) -> None:
    """Show which permissions of SUBJECT an edit of policies would add or remove.

    A permission that another statement or path still grants is not listed as removed.
    No policy is changed.

    --cuts RESOURCE finds the smallest sets of statements whose removal leaves SUBJECT
    without access to RESOURCE, and the recorded calls that each set would break.
    """
    if bool(subject) == all_identities:
        raise UsageError(
            "expected either a SUBJECT or --all (got "
            f"{'both' if all_identities else 'neither'})",
            _HELP_HINT,
        )
    with open_session(settings) as session, progress_bar(settings) as progress:
        if cuts:
            _check_cut_options(all_identities)
            from answerable.usecases.aws_permissions import find_minimal_cuts as cutting

            document = cutting.find_cuts(
                session.store,
                session.load_inventory(progress),
                subject,
                cuts,
                now=session.now,
                action=action,
            )
        else:
            from answerable.reach.platform import PolicyEdit
            from answerable.usecases.reach import what_if as flow

            document = flow.compare_policy_edit(
                session.load_inventory(progress),
                subject,
                PolicyEdit(
                    statements=without,
                    policies=without_policy,
                    file=file,
                    target=on,
                    layer=layer,
                ),
                now=session.now,
                action=action,
                resource=resource or "*",
                limit=limit,
            )
    print_and_exit(document, settings, note=_hint_for_truncated_list(document))


def _check_cut_options(all_identities: bool) -> None:
    """Refuse options that --cuts does not take.

    Raises:
        UsageError: Another option is given.
    """
    if all_identities:
        raise UsageError("--cuts requires a SUBJECT (got --all)", _HELP_HINT)
    source = click.get_current_context().get_parameter_source
    for name in (
        "without",
        "without_policy",
        "file",
        "on",
        "layer",
        "resource",
        "limit",
    ):
        if source(name) is ParameterSource.COMMANDLINE:
            option = {"file": "with", "layer": "as"}.get(name, name).replace("_", "-")
            raise UsageError(f"--cuts cannot be combined with --{option}", _HELP_HINT)


def _hint_for_truncated_list(document: "Document") -> str:
    """Return a hint for lists that are cut."""
    if "shown" not in document.coverage:
        return ""
    return "hint: --limit 0 lists all items; --action and --resource narrow the list"
