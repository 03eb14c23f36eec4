"""`findings`: list defects of the estate, gravest first."""

from typing import TYPE_CHECKING

import click

from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import (
    AppCommand,
    Settings,
    WordChoice,
    find_named_and_default_store,
    pass_settings,
)

if TYPE_CHECKING:
    from answerable.posture.facts import ArgumentLimit

SEVERITIES = ("low", "medium", "high", "critical")


@click.command(
    "findings", cls=AppCommand, short_help="Defects of the estate, gravest first."
)
@click.option("--owner", default="", metavar="PERSON", help="Only this person's.")
@click.option(
    "--platform", default="", metavar="PLATFORM", help="Only this platform's."
)
@click.option(
    "--fail-on",
    default="",
    type=WordChoice(SEVERITIES),
    help="Exit 1 if an open finding is at least as grave.",
)
@click.option(
    "--new-since",
    default="",
    metavar="SNAPSHOT",
    help="Only findings that this snapshot does not have.",
)
@click.option(
    "--suppressions",
    default="",
    metavar="FILE",
    help="Reviewed file of accepted and assigned findings.",
)
@click.option(
    "--config",
    default="",
    metavar="FILE",
    help="Configuration of the gateway, whose policies are also checked.",
)
@pass_settings
def findings(
    settings: Settings,
    owner: str,
    platform: str,
    fail_on: str,
    new_since: str,
    suppressions: str,
    config: str,
) -> None:
    """List the defects of the estate, gravest first.

    A rule whose data was not collected is listed as not evaluated, with the source
    that has the data. docs/findings.md describes each rule and the severity.
    """
    from answerable.usecases.posture.list_findings import list_findings

    limits = read_limits_of_config(settings, config)
    # Items are built while they are printed, from the open store.
    with open_session(settings) as session:
        with progress_bar(settings) as progress:
            document = list_findings(
                session.store,
                session.load_inventory(progress),
                now=session.now,
                owner=owner,
                platform=platform,
                fail_on=fail_on,
                new_since=new_since,
                suppressions=suppressions,
                argument_limits=limits,
            )
        print_and_exit(document, settings)


def read_limits_of_config(
    settings: Settings, config: str
) -> "tuple[ArgumentLimit, ...] | None":
    """Read the limits of the gateway's policies; None without a configuration.

    A configuration also names the store of the command, unless an option does.

    Args:
        config: The file; empty for none.

    Raises:
        ConfigError: The configuration or a policy is invalid.
    """
    if not config:
        return None
    from answerable.server.argument_limits import read_argument_limits

    found = read_argument_limits(config, *find_named_and_default_store(settings))
    settings.store = settings.store or str(found.store)
    return found.limits
