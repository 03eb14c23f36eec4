"""`who-owns` and `attest`: who answers for an agent, identity or credential."""

import click

from answerable.cli.emit import answer
from answerable.cli.session import opened
from answerable.cli.settings import Settings, Verb, pass_settings


@click.command(
    "who-owns", cls=Verb, short_help="Say who answers for something, and why."
)
@click.argument("subject", metavar="ID")
@pass_settings
def who_owns(settings: Settings, subject: str) -> None:
    """Say who answers for an agent, identity or credential, with the evidence.

    ID is an id, an ARN, or a name that fits one thing only. The score is what the
    evidence weighs together; margin is the distance to the next candidate.
    """
    from answerable.flows import ownership

    with opened(settings) as session:
        document = ownership.who_owns(
            session.store, session.inventory(), subject, now=session.now
        )
    answer(document, settings)


@click.command(cls=Verb, short_help="Record who answers for something.")
@click.argument("subject", metavar="ID")
@click.option(
    "--owner", required=True, metavar="PERSON", help="Email or handle of the person."
)
@pass_settings
def attest(settings: Settings, subject: str, owner: str) -> None:
    """Record that PERSON answers for ID, and show what the store now says.

    The record is kept in the log and never deleted; it makes the owner `confirmed`.
    """
    from answerable.flows import ownership

    with opened(settings, writes=True) as session:
        document = ownership.attest(
            session.store, session.inventory(), subject, owner, now=session.now
        )
    answer(document, settings)
