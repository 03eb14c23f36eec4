"""`store`: statistics, compaction, retention, legal holds and repair."""

import click

from answerable.cli.output import print_and_exit
from answerable.cli.session import open_session
from answerable.cli.settings import (
    AppCommand,
    AppGroup,
    Settings,
    find_store,
    pass_settings,
)
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import UsageError

_DRY_RUN = click.option(
    "--dry-run", is_flag=True, help="List the changes without making them."
)


@click.group(cls=AppGroup, short_help="Compact, retain, hold and repair events.")
def store() -> None:
    """Measure, compact and repair the store, and remove old events by policy."""


@store.command(cls=AppCommand, short_help="Show the events of each day.")
@pass_settings
def stats(settings: Settings) -> None:
    """Show the events, segments and bytes of each day.

    The exit code is 1 if a segment is missing or damaged.
    """
    from answerable.usecases.evidence import store_life as flow

    with open_session(settings) as session:
        document = flow.show_store_statistics(session.store, now=session.now)
    print_and_exit(document, settings)


@store.command(cls=AppCommand, short_help="Merge the segments of each day.")
@click.option("--day", default="", metavar="DAY", help="Only this day, YYYY-MM-DD.")
@_DRY_RUN
@pass_settings
def compact(settings: Settings, day: str, dry_run: bool) -> None:
    """Merge the segments of each day into few large segments.

    The log proves that the rows are the same: exported proofs and checkpoints remain
    valid.
    """
    from answerable.usecases.evidence import store_life as flow

    with open_session(settings) as session:
        document = flow.compact_store(
            session.store, day, now=session.now, dry_run=dry_run
        )
    print_and_exit(document, settings)


@store.command(cls=AppCommand, short_help="Remove old events.")
@click.option(
    "--days",
    type=int,
    required=True,
    metavar="N",
    help="Days to keep; today is the last day.",
)
@click.option(
    "--source", default="", metavar="S", help="Only events of this log source."
)
@_DRY_RUN
@pass_settings
def retain(settings: Settings, days: int, source: str, dry_run: bool) -> None:
    """Keep the events of the last N days, and remove older events.

    The leaf hashes and checkpoints remain, so that `evidence verify` reports removed
    events as removed by policy. Events under a legal hold are kept. An agent may not do
    this.
    """
    from answerable.cli.signing import require_human
    from answerable.usecases.evidence import store_life as flow

    require_human(settings)
    with open_session(settings) as session:
        document = flow.retain_events(
            session.store, days, source, now=session.now, dry_run=dry_run
        )
    print_and_exit(document, settings)


@store.command(cls=AppCommand, short_help="Keep events under a legal hold.")
@click.option("--since", default="", metavar="DAY", help="First day to keep.")
@click.option("--until", default="", metavar="DAY", help="Last day to keep.")
@click.option("--source", default="", metavar="S", help="Only this log source.")
@click.option(
    "--person", default="", metavar="P", help="Only events that mention this person."
)
@click.option(
    "--reason", required=True, metavar="TEXT", help="Reason; kept in the log."
)
@pass_settings
def hold(  # one parameter per option
    settings: Settings,
    since: str,
    until: str,
    source: str,
    person: str,
    reason: str,
) -> None:
    """Place a legal hold: neither retention nor erasure removes the events.

    Without options, the legal hold covers every event.
    """
    from answerable.store.legal_holds import LegalHold
    from answerable.usecases.evidence import store_life as flow

    placed = LegalHold(
        reason=reason.strip(), since=since, until=until, source=source, person=person
    )
    with open_session(settings) as session:
        document = flow.place_hold(session.store, placed, now=session.now)
    print_and_exit(document, settings)


@store.command(cls=AppCommand, short_help="List legal holds.")
@pass_settings
def holds(settings: Settings) -> None:
    """List the legal holds in force."""
    from answerable.usecases.evidence import store_life as flow

    with open_session(settings) as session:
        document = flow.list_holds(session.store)
    print_and_exit(document, settings)


@store.command(cls=AppCommand, short_help="Release a legal hold.")
@click.argument("hold_id", metavar="ID")
@click.option(
    "--reason", required=True, metavar="TEXT", help="Reason; kept in the log."
)
@pass_settings
def release(settings: Settings, hold_id: str, reason: str) -> None:
    """Release the legal hold ID. An agent may not do this."""
    from answerable.cli.signing import require_human
    from answerable.usecases.evidence import store_life as flow

    require_human(settings)
    with open_session(settings) as session:
        document = flow.release_hold(
            session.store, hold_id, reason.strip(), now=session.now
        )
    print_and_exit(document, settings)


@store.command(cls=AppCommand, short_help="Set damaged files aside, or restore them.")
@click.option(
    "--from",
    "copy",
    default="",
    metavar="FOLDER",
    help="Copy of the store from which files are restored.",
)
@_DRY_RUN
@pass_settings
def repair(settings: Settings, copy: str, dry_run: bool) -> None:
    """Repair segments, objects and hash tiles; no file that matches the log is changed.

    Damaged files are moved to `set-aside/` in the store, files that can be derived are
    written again, and interrupted removals are completed. The exit code is 1 if a file
    is still missing.
    """
    from answerable.usecases.evidence import store_life as flow

    folder = expand_user_path(copy) if copy else None
    if folder is not None and not (folder / "segments").is_dir():
        raise UsageError(
            f"--from is not a copy of a store (got {copy!r}, expected a folder with "
            "segments/)",
            "name the folder of a backup of this store",
        )
    with open_session(settings) as session:
        document = flow.repair_files(
            session.store, folder, now=session.now, dry_run=dry_run
        )
    print_and_exit(document, settings)


@store.command(cls=AppCommand, short_help="Upgrade a store to this release.")
@pass_settings
def migrate(settings: Settings) -> None:
    """Upgrade a store of an earlier release to the format of this release.

    First stop the servers of the store, and back up the store. A store of a newer
    release is refused. The database of the token service is migrated when the service
    starts.
    """
    from answerable.store.store_migration import migrate_store

    root, _ = find_store(settings)
    before, after = migrate_store(root)
    what = "is current" if before == after else f"was migrated from {before}"
    click.echo(f"the store {root} has format {after}, which {what}")
