"""`diff`: compare two snapshots, checkouts or Terraform plans."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.output import get_document_exit_code, print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.settings import (
    AppCommand,
    Settings,
    WordChoice,
    find_store,
    pass_settings,
    split_store_and_snapshot,
)
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_SEVERITIES = ("low", "medium", "high", "critical")
_KINDS = tuple(
    str.split("agent tool credential identity owner pin permission trust reach source")
)
_PLAN_SUFFIX = ".json"


@click.command(
    "diff", cls=AppCommand, short_help="Compare two snapshots, or checkouts."
)
@click.argument("before", default="")
@click.argument("after", default="")
@click.option(
    "--fail-on",
    default="",
    type=WordChoice(_SEVERITIES),
    help="Exit 1 if a change is at least as severe.",
)
@click.option(
    "--kind",
    default="",
    type=WordChoice(_KINDS),
    metavar="KIND",
    help="Only changes of this kind.",
)
@click.option(
    "--markdown", is_flag=True, help="Print a comment for a pull request as Markdown."
)
@pass_settings
def diff(
    settings: Settings, before: str, after: str, fail_on: str, kind: str, markdown: bool
) -> None:
    """Show the changes from BEFORE to AFTER: agents, tools, owners, permissions.

    Each side is a store, a snapshot (STORE@SNAPSHOT, or @SNAPSHOT of this store), a
    folder with a checkout, a revision of the repository here (git:REVISION), or a file
    of `terraform show -json PLAN`. A single plan is compared with the state before it.
    Without sides, the two newest snapshots of the store are compared.

    Data that one side did not collect is listed as not comparable (exit 3), never as
    removed.
    """
    import time

    from answerable.presentation.difference_comment import format_difference_comment
    from answerable.services.posture.compared_sides import (
        build_side_context,
        list_newest_snapshots,
        open_side,
    )
    from answerable.services.python_gc_pause import pause_garbage_collection
    from answerable.usecases.posture.diff import compare_sides

    now = time.time_ns()
    own, _ = find_store(settings)
    with ExitStack() as stack, progress_bar(settings) as progress:
        context = build_side_context(
            lambda text: _open_store(text, own, now, stack), Path.cwd(), now, progress
        )
        if before and not after:
            if not before.endswith(_PLAN_SUFFIX):
                raise UsageError(
                    f"expected two sides (got {before!r})",
                    "answerable diff BEFORE AFTER; see answerable diff --help",
                )
            before, after = f"{before}#prior", before
        if not before:
            before, after = list_newest_snapshots(context, str(own))
        project = Path(context.cwd, after).name
        with pause_garbage_collection():
            sides = [open_side(text, context, project) for text in (before, after)]
            document = compare_sides(*sides, now=now, fail_on=fail_on, kind=kind)
    if markdown:
        click.echo(format_difference_comment(document, before, after))
        click.get_current_context().exit(get_document_exit_code(document, settings))
    print_and_exit(document, settings)


def _open_store(
    text: str, own: Path, now: int, stack: ExitStack
) -> "tuple[EvidenceStore, str] | None":
    """Open the store that a side names, for the duration of the command."""
    from answerable.store.store import EvidenceStore
    from answerable.store.store_layout import is_store_folder

    root, snapshot = own, text[1:]
    if not text.startswith("@"):
        root, snapshot = split_store_and_snapshot(text)
    if not text.startswith("@") and not is_store_folder(root):
        return None
    store = stack.enter_context(EvidenceStore.open(root, now=now, create=False))
    return store, snapshot
