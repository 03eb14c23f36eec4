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
    "note: an agent that runs as your own user can do what you do here; "
    "run agents as users of their own to be sure (docs/ownership.md)"
)


class _OwnerKeysGroup(AppGroup):
    sections = (("Commands", ("new", "enroll", "list", "revoke")),)


@click.group(
    "owner-keys", cls=_OwnerKeysGroup, short_help="Keys with which owners sign."
)
def owner_keys() -> None:
    """Make, enroll, list and revoke the keys with which owners sign.

    A person makes a key and keeps its private half; an administrator of the store
    enrolls the public half. `answerable attest --key` then signs with it.
    """


_person_option = click.option(
    "--person", required=True, metavar="PERSON", help="Email or handle of the person."
)
_passphrase_option = click.option(
    "--passphrase-file",
    default="",
    metavar="FILE",
    help="Read the passphrase from a file instead of asking.",
)


@owner_keys.command(cls=AppCommand, short_help="Make a key for yourself.")
@_person_option
@click.option("--key", default="", metavar="FILE", help="File of the private half.")
@_passphrase_option
@pass_settings
def new(settings: Settings, person: str, key: str, passphrase_file: str) -> None:
    """Make an Ed25519 key for PERSON, and ask for the passphrase that protects it.

    The private half is stored under $XDG_CONFIG_HOME/answerable/owner-keys unless --key
    names another FILE, the public half in FILE.pub. Neither goes into a store: the
    public half is enrolled there.
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


@owner_keys.command(cls=AppCommand, short_help="Record that a key is a person's.")
@click.argument("public", metavar="PUB")
@_person_option
@click.option("--from", "since", default="now", metavar="T", help="Valid from; now.")
@click.option("--until", default="", metavar="T", help="Valid until; a year later.")
@pass_settings
def enroll(
    settings: Settings, public: str, person: str, since: str, until: str
) -> None:
    """Record that the public key in the file PUB is PERSON's.

    Any user who may write the store may do this. Make sure that PERSON gave you this
    very key. A key belongs to one person; enrolling it again extends its time.
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


@owner_keys.command("list", cls=AppCommand, short_help="List keys and their persons.")
@pass_settings
def list_enrolled_keys(settings: Settings) -> None:
    """List every key that was enrolled, whose it is, and what it is worth now."""
    from answerable.services.statements import key_enrolment as flow

    with open_session(settings) as session:
        document = flow.list_owner_keys(session.store, now=session.now)
    print_and_exit(document, settings)


@owner_keys.command(cls=AppCommand, short_help="Revoke a key.")
@click.argument("key", metavar="KEYID")
@click.option("--at", default="", metavar="T", help="Invalid from; now.")
@pass_settings
def revoke(settings: Settings, key: str, at: str) -> None:
    """Record that signatures by the key KEYID are no longer valid.

    Statements recorded before stay valid. With --at a time in the past, statements
    after that time are invalid, too: use the time when the key may have been stolen.
    KEYID is the id, or a prefix of it.
    """
    from answerable.services.statements import key_enrolment as flow

    require_human(settings)
    with open_session(settings, writes=True) as session:
        since = parse_time(at, session.now, "--at") if at else None
        document = flow.revoke_owner_key(
            session.store, key, since=since, uid=os.getuid(), now=session.now
        )
    print_and_exit(document, settings)
