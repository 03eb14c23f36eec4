"""`case`: keep an investigation: events, decisions, findings and notes of people."""

import sys
from dataclasses import replace
from typing import cast

import click

from answerable.cli.login_name import get_login_name
from answerable.cli.output import get_document_exit_code, print_and_exit
from answerable.cli.output_file import write_output_file
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, AppGroup, Settings, pass_settings
from answerable.model.errors import PartialError


@click.group(cls=AppGroup, short_help="Keep an investigation and export it.")
def case() -> None:
    """Keep an investigation in the store: events, decisions, findings and notes.

    Each act on a case is a record in the log. A case is named by its id, a prefix of
    it, or its title.
    """


@case.command("new", cls=AppCommand, short_help="Open a case.")
@click.argument("title")
@pass_settings
def new_case(settings: Settings, title: str) -> None:
    """Open a case with a TITLE and print its id."""
    from answerable.usecases.lineage import manage_cases as flow

    with open_session(settings, writes=True) as session:
        document = flow.create_case(
            session.store, title, get_login_name(), now=session.now
        )
    print_and_exit(document, settings)


@case.command("add", cls=AppCommand, short_help="Add events, decisions or findings.")
@click.argument("name", metavar="CASE")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@pass_settings
def add_items(settings: Settings, name: str, ids: tuple[str, ...]) -> None:
    """Add events, decisions or findings to CASE, by their ids.

    The ids are those of `trace`, `decision` and `findings`.
    """
    from answerable.usecases.lineage import manage_cases as flow

    with open_session(settings, writes=True) as session:
        document = flow.add_to_case(
            session.store, name, ids, get_login_name(), now=session.now
        )
    print_and_exit(document, settings)


@case.command("note", cls=AppCommand, short_help="Add a note of a person.")
@click.argument("name", metavar="CASE")
@click.argument("text")
@pass_settings
def add_note(settings: Settings, name: str, text: str) -> None:
    """Add the note TEXT to CASE. An agent may not do this.

    A note stays in the log, so it must not contain a secret.
    """
    from answerable.cli.signing import require_human
    from answerable.usecases.lineage import manage_cases as flow

    require_human(settings)
    with open_session(settings, writes=True) as session:
        document = flow.note_on_case(
            session.store, name, text, get_login_name(), now=session.now
        )
    print_and_exit(document, settings)


@case.command("assign", cls=AppCommand, short_help="Assign a case to a person.")
@click.argument("name", metavar="CASE")
@click.argument("person")
@pass_settings
def assign(settings: Settings, name: str, person: str) -> None:
    """Assign CASE to PERSON. An agent may not do this."""
    from answerable.cli.signing import require_human
    from answerable.inventory.person_directory import describe_unknown_person
    from answerable.presentation.text import sanitize
    from answerable.usecases.lineage import manage_cases as flow

    require_human(settings)
    with open_session(settings, writes=True) as session:
        document = flow.assign_case(
            session.store, name, person, get_login_name(), now=session.now
        )
        unknown = describe_unknown_person(session.load_inventory(), person)
        if unknown and not settings.quiet:
            click.echo(f"warning: {sanitize(unknown)}", err=True)
    print_and_exit(document, settings)


@case.command("close", cls=AppCommand, short_help="Close a case.")
@click.argument("name", metavar="CASE")
@click.option(
    "--reason", required=True, metavar="TEXT", help="Reason; kept in the log."
)
@pass_settings
def close(settings: Settings, name: str, reason: str) -> None:
    """Close CASE; nothing can be added to it afterwards. An agent may not do this."""
    from answerable.cli.signing import require_human
    from answerable.usecases.lineage import manage_cases as flow

    require_human(settings)
    with open_session(settings, writes=True) as session:
        document = flow.close_case(
            session.store, name, reason, get_login_name(), now=session.now
        )
    print_and_exit(document, settings)


@case.command("list", cls=AppCommand, short_help="List the cases, newest first.")
@pass_settings
def list_all(settings: Settings) -> None:
    """List the cases of the store, newest first."""
    from answerable.usecases.lineage import manage_cases as flow

    with open_session(settings) as session:
        document = flow.list_stored_cases(session.store)
    print_and_exit(document, settings)


@case.command("show", cls=AppCommand, short_help="Show a case with its chains.")
@click.argument("name", metavar="CASE")
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show the records of CASE, with the chain behind each event."""
    from answerable.usecases.lineage import manage_cases as flow

    with open_session(settings) as session:
        document = flow.show_case(session.store, name, now=session.now)
    print_and_exit(document, settings)


@case.command("bundle", cls=AppCommand, short_help="Write a case to one file.")
@click.argument("name", metavar="CASE")
@click.option(
    "--out",
    default="",
    metavar="FILE",
    help="File to write the bundle to; standard output by default.",
)
@click.option(
    "--with-snapshots",
    is_flag=True,
    help="Include the scanned facts of the snapshots, not only their digests.",
)
@pass_settings
def bundle(settings: Settings, name: str, out: str, with_snapshots: bool) -> None:
    """Write CASE to one file: records, joining events, owners, proofs and chains.

    `answerable evidence verify FILE --key PUB` checks it on any machine, without a
    store.
    """
    from answerable.presentation.command_hints import format_command
    from answerable.usecases.lineage import export_case as flow

    with open_session(settings) as session:
        document = flow.build_case_bundle(
            session.store, name, with_snapshots=with_snapshots, now=session.now
        )
    item = document.items[0]
    absent = "; ".join(map(str, cast("list[str]", item["absent"])))
    note = f"not in the bundle: {absent}" if absent else ""
    if out:
        write_output_file(out, str(item["bundle"]))
        check = format_command("evidence", "verify", out, "--key", str(item["key"]))
        document = replace(document, next=check)
    elif settings.output == "table":
        # For a pipe or a redirection: only the file, byte for byte.
        click.echo(str(item["bundle"]), nl=False)
        if note and not settings.quiet:
            click.echo(f"warning: {note}", err=True)
        click.get_current_context().exit(get_document_exit_code(document, settings))
    print_and_exit(document, settings, note=note)


@case.command("print", cls=AppCommand, short_help="Write a printable page.")
@click.argument("name", metavar="CASE")
@click.argument("file", default="-")
@click.option("--markdown", is_flag=True, help="Write Markdown instead of HTML.")
@pass_settings
def print_page(settings: Settings, name: str, file: str, markdown: bool) -> None:
    """Write CASE as a page to FILE, or to standard output.

    The HTML has no script and no link to another file. The chains have six columns.
    """
    from answerable.usecases.lineage.export_case import build_case_page

    with open_session(settings) as session:
        page = build_case_page(session.store, name, markdown=markdown, now=session.now)
        text = "\n".join(page.lines) + "\n"
    if file == "-":
        sys.stdout.write(text)
    else:
        write_output_file(file, text)
        click.echo(f"wrote {file}", err=True)
    if page.unread and not settings.allow_partial:
        raise PartialError(
            f"not on the page: {'; '.join(page.unread)}",
            "find the damage with: answerable store repair --dry-run",
        )
