"""`agents`, `identities`, `credentials`, `people`: lists of a snapshot."""

import click

from answerable.cli.output import answer
from answerable.cli.progress import bar
from answerable.cli.session import opened
from answerable.cli.settings import Settings, Verb, Word, pass_settings

OWNER_STATES = (
    "attested",
    "confirmed",
    "inferred",
    "suggested",
    "ambiguous",
    "team-only",
    "owner-left",
    "none",
)


def _listing(name: str, short: str, long: str) -> click.Command:
    def run(settings: Settings, owner_state: str, kind: str) -> None:
        from answerable.presentation import inventory_lists

        flow = inventory_lists.BY_KIND[name]
        with opened(settings) as session, bar(settings) as progress:
            document = flow(
                session.inventory(progress),
                now=session.now,
                owner_state=owner_state,
                kind=kind,
            )
        answer(document, settings)

    options = (
        click.option(
            "--owner-state",
            default="",
            type=Word(OWNER_STATES),
            help="Only those with this ownership state.",
        ),
        click.option("--kind", default="", metavar="KIND", help="Only this kind."),
    )
    wrapped = pass_settings(run)
    for option in reversed(options):
        wrapped = option(wrapped)
    return click.command(name, cls=Verb, short_help=short, help=long)(wrapped)


agents = _listing(
    "agents",
    "Agents, their tools, and what they act as.",
    "List the agents found, with their tools, owners and identities.",
)

identities = _listing(
    "identities",
    "Identities agents can act through.",
    "List the identities found, with owners and the agents that use them.",
)

credentials = _listing(
    "credentials",
    "Credentials, where they lie, what they prove.",
    "List the credentials found. A value is never kept: a fingerprint and at most "
    "four characters of it are.",
)

people = _listing(
    "people",
    "People and what they own.",
    "List the people found and what each answers for.",
)
