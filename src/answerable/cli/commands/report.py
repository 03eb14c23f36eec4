"""`report`, `export`: the estate as a file for people and for other tools."""

import sys
from pathlib import Path

import click

from answerable.cli.commands.findings import read_limits_of_config
from answerable.cli.output import print_and_exit
from answerable.cli.output_file import check_output_folder, write_output_file
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings

_FORMATS = ("cyclonedx", "opengraph", "ocsf", "csv")

_SUPPRESSIONS = click.option(
    "--suppressions",
    default="",
    metavar="FILE",
    help="Reviewed file of accepted findings.",
)
_CONFIG = click.option(
    "--config",
    default="",
    metavar="FILE",
    help="Configuration of the gateway, whose policies are also checked.",
)


@click.command("report", cls=AppCommand, short_help="One HTML or Markdown file.")
@click.argument("file", default="-")
@click.option("--markdown", is_flag=True, help="Write Markdown instead of HTML.")
@_SUPPRESSIONS
@_CONFIG
@pass_settings
def report(
    settings: Settings, file: str, markdown: bool, suppressions: str, config: str
) -> None:
    """Write a report to FILE, or to standard output.

    The report answers the six questions, shows the most severe paths, and lists
    findings by owner, the rules that lack data and the coverage. The HTML has no script
    and no link to another file.
    """
    from answerable.usecases.posture.write_report import iterate_report_lines

    limits = read_limits_of_config(settings, config)
    with open_session(settings) as session, progress_bar(settings) as progress:
        lines = iterate_report_lines(
            session.store,
            session.load_inventory(progress),
            now=session.now,
            markdown=markdown,
            suppressions=suppressions,
            argument_limits=limits,
        )
        text = "\n".join(lines) + "\n"
    if file == "-":
        sys.stdout.write(text)
        return
    write_output_file(file, text)
    click.echo(f"wrote {file}", err=True)


@click.command("export", cls=AppCommand, short_help="Files for other tools.")
@click.option(
    "--to",
    "form",
    required=True,
    type=WordChoice(_FORMATS),
    help="Format of the files.",
)
@click.argument("folder")
@_SUPPRESSIONS
@_CONFIG
@pass_settings
def export(
    settings: Settings, form: str, folder: str, suppressions: str, config: str
) -> None:
    """Write the inventory and its findings to files in FOLDER.

    cyclonedx: agents, tools, packages, identities and credentials without values
    (CycloneDX 1.6). opengraph: the same as a graph for BloodHound. ocsf: findings
    (OCSF 1.8). csv: agents, credentials, identities and findings.
    """
    from answerable.usecases.posture.export_inventory import export_inventory

    check_output_folder(folder)
    limits = read_limits_of_config(settings, config)
    with open_session(settings) as session, progress_bar(settings) as progress:
        document = export_inventory(
            session.store,
            session.load_inventory(progress),
            form,
            Path(folder),
            now=session.now,
            suppressions=suppressions,
            argument_limits=limits,
        )
    print_and_exit(document, settings)
