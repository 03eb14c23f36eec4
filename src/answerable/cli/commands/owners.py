"""`who-owns` and `attest`: owners of agents, identities and credentials."""

import click

from answerable.cli.output import answer
from answerable.cli.progress import bar
from answerable.cli.session import opened
from answerable.cli.settings import Settings, Verb, pass_settings
from answerable.cli.signing import only_a_person, same_user, signer_of
from answerable.model.errors import UsageError


@click.command("who-owns", cls=Verb, short_help="Show an owner, with the evidence.")
@click.argument("subject", metavar="ID")
@pass_settings
def who_owns(settings: Settings, subject: str) -> None:
    """Show the owner of an agent, identity or credential, with the evidence.

    ID is an id, an ARN, or an unambiguous name. The score is the weight of all
    evidence; margin is the distance to the next candidate.
    """
    from answerable.usecases.inventory import ownership

    note = ""
    with opened(settings) as session, bar(settings) as progress:
        inventory = session.inventory(progress)
        document = ownership.who_owns(
            session.store, inventory, subject, now=session.now
        )
        item = document.items[0]
        if item["state"] == "attested":
            note = same_user(inventory, str(item["id"]))
    answer(document, settings, note=note)


@click.command(cls=Verb, short_help="Record an owner.")
@click.argument("subject", metavar="ID")
@click.option(
    "--owner", required=True, metavar="PERSON", help="Email or handle of the person."
)
@click.option(
    "--key", default="", metavar="FILE", help="Sign with the owner key in this file."
)
@click.option(
    "--passphrase-file",
    default="",
    metavar="FILE",
    help="Read the passphrase of the key from a file instead of asking.",
)
@pass_settings
def attest(
    settings: Settings, subject: str, owner: str, key: str, passphrase_file: str
) -> None:
    """Record PERSON as the owner of ID, and show the result.

    The record is kept in the log and never deleted. It makes the owner `confirmed`;
    signed with an enrolled key of PERSON it makes them `attested` for 180 days, which
    is required before an agent receives tokens. No agent may sign.
    """
    from answerable.usecases.inventory import ownership

    if passphrase_file and not key:
        raise UsageError(
            "--passphrase-file is of no use without --key",
            "name the key to sign with: --key FILE",
        )
    if key:
        _attest_signed(settings, subject, owner, key, passphrase_file)
    with opened(settings, writes=True) as session:
        document = ownership.attest(
            session.store, session.inventory(), subject, owner, now=session.now
        )
    answer(document, settings)


def _attest_signed(
    settings: Settings, subject: str, owner: str, key: str, passphrase_file: str
) -> None:
    """Sign and record an attestation; ends the command."""
    import time

    from answerable.usecases.inventory import ownership

    only_a_person(settings)
    with opened(settings, writes=True) as session:
        inventory = session.inventory()
        # Errors are reported before the passphrase prompt.
        advice = same_user(inventory, ownership.subject_id(inventory, subject))
        ownership.owner_id(inventory, owner)
        signer = signer_of(key, passphrase_file)
        document = ownership.attest_signed(
            session.store, inventory, subject, owner, signer, now=time.time_ns()
        )
    answer(document, settings, note=advice)
