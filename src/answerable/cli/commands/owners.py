"""`who-owns` and `attest`: show and record owners of agents and identities."""

import click

from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, pass_settings
from answerable.cli.signing import describe_shared_user, load_signer, require_human
from answerable.model.errors import UsageError


@click.command(
    "who-owns",
    cls=AppCommand,
    short_help="Show an owner and the evidence of ownership.",
)
@click.argument("subject", metavar="ID")
@pass_settings
def who_owns(settings: Settings, subject: str) -> None:
    """Show the owner of an agent, identity or credential, with the evidence.

    ID is an id, an ARN, or an unambiguous name. The score is the total weight of the
    evidence; the margin is the distance to the next candidate.
    """
    from answerable.usecases.inventory import ownership

    note = ""
    with open_session(settings) as session, progress_bar(settings) as progress:
        inventory = session.load_inventory(progress)
        document = ownership.show_owner(inventory, subject, now=session.now)
        item = document.items[0]
        if item["state"] == "attested":
            note = describe_shared_user(inventory, str(item["id"]))
    print_and_exit(document, settings, note=note)


@click.command(cls=AppCommand, short_help="Record an owner.")
@click.argument("subject", metavar="ID")
@click.option(
    "--owner", required=True, metavar="PERSON", help="Email or handle of the person."
)
@click.option(
    "--key", default="", metavar="FILE", help="File of the owner key that signs."
)
@click.option(
    "--passphrase-file",
    default="",
    metavar="FILE",
    help="File with the passphrase, instead of a prompt.",
)
@pass_settings
def attest(
    settings: Settings, subject: str, owner: str, key: str, passphrase_file: str
) -> None:
    """Record PERSON as the owner of ID.

    The record is kept in the log and is never deleted. It makes the owner `confirmed`.
    If it is signed with an enrolled key of PERSON, the owner is `attested` for 180
    days, which an agent requires to receive tokens. An agent may not sign.
    """
    from answerable.usecases.inventory import ownership

    if passphrase_file and not key:
        raise UsageError(
            "--passphrase-file requires --key",
            "name the key to sign with: --key FILE",
        )
    if key:
        _attest_signed(settings, subject, owner, key, passphrase_file)
    with open_session(settings, writes=True) as session:
        document = ownership.attest_unsigned(
            session.store, session.load_inventory(), subject, owner, now=session.now
        )
    print_and_exit(document, settings)


def _attest_signed(
    settings: Settings, subject: str, owner: str, key: str, passphrase_file: str
) -> None:
    """Sign and record an attestation; ends the command."""
    import time

    from answerable.inventory.person_directory import parse_owner
    from answerable.usecases.inventory import ownership

    require_human(settings)
    with open_session(settings, writes=True) as session:
        inventory = session.load_inventory()
        # Errors are reported before the passphrase prompt.
        advice = describe_shared_user(
            inventory, ownership.resolve_subject(inventory, subject)
        )
        parse_owner(inventory, owner)
        signer = load_signer(key, passphrase_file)
        document = ownership.attest_signed(
            session.store, inventory, subject, owner, signer, now=time.time_ns()
        )
    print_and_exit(document, settings, note=advice)
