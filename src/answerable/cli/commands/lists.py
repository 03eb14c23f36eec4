"""`agents`, `identities`, `credentials`, `people`: list a snapshot's content."""

import click

from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings

OWNER_STATES = (
    "attested",
    "confirmed",
    "inferred",
    "suggested",
    "ambiguous",
    "team-only",
    "owner-left",
    "none",
    "not-known",
)


def _build_list_command(name: str, short: str, long: str) -> click.Command:
    """Build the command that lists the items of one kind."""

    def run(settings: Settings, owner_state: str, kind: str) -> None:
        from answerable.usecases.inventory import inventory_listing

        flow = inventory_listing.BY_KIND[name]
        with open_session(settings) as session, progress_bar(settings) as progress:
            document = flow(
                session.load_inventory(progress),
                now=session.now,
                owner_state=owner_state,
                kind=kind,
            )
        print_and_exit(document, settings)

    options = (
        click.option(
            "--owner-state",
            default="",
            type=WordChoice(OWNER_STATES),
            help="Only items with this ownership state.",
        ),
        click.option(
            "--kind", default="", metavar="KIND", help="Only items of this kind."
        ),
    )
    wrapped = pass_settings(run)
    for option in reversed(options):
        wrapped = option(wrapped)
    return click.command(name, cls=AppCommand, short_help=short, help=long)(wrapped)


agents = _build_list_command(
    "agents",
    "Agents, with their tools and identities.",
    "List the agents found, with their tools, owners and identities.",
)

identities = _build_list_command(
    "identities",
    "Identities through which agents can act.",
    "List the identities found, with owners and the agents that use them.",
)

credentials = _build_list_command(
    "credentials",
    "Credentials, with locations and identities.",
    "List the credentials found. Values are never stored, only a fingerprint and "
    "at most four characters.",
)

people = _build_list_command(
    "people",
    "People, with the entities that they own.",
    "List the people found, with the agents, identities and credentials that each "
    "owns.",
)
