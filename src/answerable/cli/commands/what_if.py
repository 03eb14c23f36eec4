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

_HELP_HINT = "answerable what-if --help"


@click.command(
    "what-if",
    cls=AppCommand,
    short_help="What an edit of policies would change, and cuts.",
)
@click.argument("subject", default="")
@click.option("--all", "all_identities", is_flag=True, help="Compare every identity.")
@click.option(
    "--without",
    multiple=True,
    metavar="STATEMENT",
    help="Remove a statement: POLICY#STATEMENT, or as answers print it.",
)
@click.option(
    "--without-policy", multiple=True, metavar="POLICY", help="Remove a policy."
)
@click.option(
    "--with", "file", default="", metavar="FILE", help="Attach a policy document."
)
@click.option(
    "--on", default="", metavar="TARGET", help="Attach it there, not to SUBJECT."
)
@click.option(
    "--as",
    "layer",
    default="",
    metavar="KIND",
    help="Kind of policy, in the words of layers: identity, resource ...",
)
@click.option(
    "--cuts",
    default="",
    metavar="RESOURCE",
    help="The smallest sets of statements whose removal ends this reach.",
)
@click.option("--action", default="*", metavar="GLOB", help="Only these actions.")
@click.option("--resource", default="", metavar="GLOB", help="Only these resources.")
@click.option(
    "--limit",
    default=1000,
    show_default=True,
    type=click.IntRange(0, 1 << 31),
    help="Most items; 0 for all.",
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

    A permission that another statement or path still grants is not removed. Nothing is
    changed anywhere.

    --cuts RESOURCE finds the smallest sets of statements whose removal leaves SUBJECT
    no way to RESOURCE, and the recorded calls that each would break.
    """
    if bool(subject) == all_identities:
        raise UsageError(
            f"what-if needs a SUBJECT or --all (got {'both' if all_identities else 'neither'})",
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
        raise UsageError("--cuts needs a SUBJECT (got --all)", _HELP_HINT)
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
            raise UsageError(
                f"--{option} would have no say: --cuts takes --action", _HELP_HINT
            )


def _hint_for_truncated_list(document: "Document") -> str:
    """Return a hint for lists that are cut."""
    if "shown" not in document.coverage:
        return ""
    return "hint: --limit 0 lists all items; --action and --resource narrow"
