"""`owner-keys`: make, enroll, list and revoke keys for owners' signatures."""

import os

import click

from answerable.cli.output import print_and_exit
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, AppGroup, Settings, pass_settings
from answerable.cli.signing import read_passphrase, require_human
from answerable.connectors.user_path import expand_user_path
from answerable.presentation.time_input import parse_time

SAME_USER_NOTE = (
    "note: an agent that runs as your own user can sign as you can; run agents as "
    "separate users (docs/ownership.md)"
)


class _OwnerKeysGroup(AppGroup):
    sections = (("Commands", ("new", "enroll", "list", "revoke")),)


@click.group("owner-keys", cls=_OwnerKeysGroup, short_help="Signing keys of owners.")
def owner_keys() -> None:
    """Create, enroll, list and revoke the signing keys of owners.

    A person creates a key pair and keeps the private key; an administrator of the store
    enrolls the public key. `answerable attest --key` then signs with the private key.
    """


_person_option = click.option(
    "--person", required=True, metavar="PERSON", help="Email or handle of the person."
)
_passphrase_option = click.option(
    "--passphrase-file",
    default="",
    metavar="FILE",
    help="File with the passphrase, instead of a prompt.",
)


@owner_keys.command(cls=AppCommand, short_help="Create your own signing key.")
@_person_option
@click.option("--key", default="", metavar="FILE", help="File for the private key.")
@_passphrase_option
@pass_settings
def new(settings: Settings, person: str, key: str, passphrase_file: str) -> None:
    """Create an Ed25519 key for PERSON, protected by a passphrase.

    The private key is written to a file under $XDG_CONFIG_HOME/answerable/owner-keys,
    or to FILE with --key, and the public key to FILE.pub. The keys are not written to a
    store; enroll the public key in the store.
    """
    from answerable.cli.owner_key_files import (
        check_key_file_writable,
        default_key_file,
        write_key_pair,
    )
    from answerable.model.ids import build_person_id
    from answerable.services.statements.key_enrolment import describe_new_owner_key

    require_human(settings)
    whose = build_person_id(person)
    place = expand_user_path(key).absolute() if key else default_key_file(whose)
    check_key_file_writable(place)
    signer, public = write_key_pair(place, read_passphrase(passphrase_file, twice=True))
    print_and_exit(
        describe_new_owner_key(signer.id, whose, str(place), str(public)), settings
    )


@owner_keys.command(cls=AppCommand, short_help="Record a person's public key.")
@click.argument("public", metavar="PUB")
@_person_option
@click.option(
    "--from",
    "since",
    default="now",
    metavar="T",
    help="Time from which the key is valid.  [default: now]",
)
@click.option(
    "--until",
    default="",
    metavar="T",
    help="Time at which the key expires.  [default: one year later]",
)
@pass_settings
def enroll(
    settings: Settings, public: str, person: str, since: str, until: str
) -> None:
    """Record that the public key in the file PUB belongs to PERSON.

    Any user who can write the store can do this. Verify that PERSON gave you this key.
    A key belongs to one person; enrolling it again extends its validity.
    """
    from answerable.cli.owner_key_files import read_public_key
    from answerable.model.ids import build_person_id
    from answerable.model.owner_signing_key import KEY_LIFETIME
    from answerable.services.statements import key_enrolment as flow

    require_human(settings)
    raw = read_public_key(expand_user_path(public))
    whose = build_person_id(person)
    with open_session(settings, writes=True) as session:
        begin = parse_time(since, session.now, "--from")
        end = (
            parse_time(until, session.now, "--until") if until else begin + KEY_LIFETIME
        )
        document = flow.enroll_owner_key(
            session.store,
            raw,
            whose,
            valid_from=begin,
            valid_until=end,
            uid=os.getuid(),
            now=session.now,
        )
    print_and_exit(document, settings, note=SAME_USER_NOTE)


@owner_keys.command(
    "list", cls=AppCommand, short_help="List the enrolled keys with their persons."
)
@pass_settings
def list_enrolled_keys(settings: Settings) -> None:
    """List the enrolled keys, with person and current validity."""
    from answerable.services.statements import key_enrolment as flow

    with open_session(settings) as session:
        document = flow.list_owner_keys(session.store, now=session.now)
    print_and_exit(document, settings)


@owner_keys.command(cls=AppCommand, short_help="Revoke a key.")
@click.argument("key", metavar="KEYID")
@click.option(
    "--at",
    default="",
    metavar="T",
    help="Time from which the key is invalid.  [default: now]",
)
@pass_settings
def revoke(settings: Settings, key: str, at: str) -> None:
    """Revoke the key KEYID: its signatures are no longer valid.

    Statements recorded before the revocation stay valid. With --at in the past,
    statements recorded after that time also become invalid; use the time at which the
    key may have been stolen. KEYID is the id of the key, or a prefix of the id.
    """
    from answerable.services.statements import key_enrolment as flow

    require_human(settings)
    with open_session(settings, writes=True) as session:
        since = parse_time(at, session.now, "--at") if at else None
        document = flow.revoke_owner_key(
            session.store, key, since=since, uid=os.getuid(), now=session.now
        )
    print_and_exit(document, settings)
