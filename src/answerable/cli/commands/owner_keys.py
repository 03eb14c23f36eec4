"""`owner-keys`: keys with which persons sign statements of ownership."""

import os

import click

from answerable.cli.output import answer
from answerable.cli.session import opened
from answerable.cli.settings import Settings, Verb, Verbs, pass_settings
from answerable.cli.signing import asked_passphrase, only_a_person
from answerable.connectors.user_path import expanded
from answerable.presentation.time_input import moment

SAME_USER = (
    "note: an agent that runs as your own user can do what you do here; "
    "run agents as users of their own to be sure (docs/ownership.md)"
)


class _OwnerKeys(Verbs):
    sections = (("Commands", ("new", "enroll", "list", "revoke")),)


@click.group("owner-keys", cls=_OwnerKeys, short_help="Keys with which owners sign.")
def owner_keys() -> None:
    """Make, enroll, list and revoke the keys with which owners sign.

    A person makes a key and keeps its private half; an administrator of the store
    enrolls the public half. `answerable attest --key` then signs with it.
    """


_person = click.option(
    "--person", required=True, metavar="PERSON", help="Email or handle of the person."
)
_passphrase = click.option(
    "--passphrase-file",
    default="",
    metavar="FILE",
    help="Read the passphrase from a file instead of asking.",
)


@owner_keys.command(cls=Verb, short_help="Make a key for yourself.")
@_person
@click.option("--key", default="", metavar="FILE", help="File of the private half.")
@_passphrase
@pass_settings
def new(settings: Settings, person: str, key: str, passphrase_file: str) -> None:
    """Make an Ed25519 key for PERSON, and ask for the passphrase that protects it.

    The private half is stored under $XDG_CONFIG_HOME/answerable/owner-keys unless --key
    names another FILE, the public half in FILE.pub. Neither goes into a store: the
    public half is enrolled there.
    """
    from answerable.cli.owner_key_files import check_place, usual_place, write_pair
    from answerable.model.ids import person_id
    from answerable.services.statements.owner_keys import made

    only_a_person(settings)
    whose = person_id(person)
    place = expanded(key).absolute() if key else usual_place(whose)
    check_place(place)
    signer, public = write_pair(place, asked_passphrase(passphrase_file, twice=True))
    answer(made(signer.id, whose, str(place), str(public)), settings)


@owner_keys.command(cls=Verb, short_help="Record that a key is a person's.")
@click.argument("public", metavar="PUB")
@_person
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
    from answerable.cli.owner_key_files import read_public
    from answerable.model.ids import person_id
    from answerable.model.owner_key import KEY_LIFE
    from answerable.services.statements import owner_keys as flow

    only_a_person(settings)
    raw = read_public(expanded(public))
    whose = person_id(person)
    with opened(settings, writes=True) as session:
        begin = moment(since, session.now, "--from")
        end = moment(until, session.now, "--until") if until else begin + KEY_LIFE
        document = flow.enroll(
            session.store,
            raw,
            whose,
            valid_from=begin,
            valid_until=end,
            uid=os.getuid(),
            now=session.now,
        )
    answer(document, settings, note=SAME_USER)


@owner_keys.command("list", cls=Verb, short_help="List keys and their persons.")
@pass_settings
def listed(settings: Settings) -> None:
    """List every key that was enrolled, whose it is, and what it is worth now."""
    from answerable.services.statements import owner_keys as flow

    with opened(settings) as session:
        document = flow.listed(session.store, now=session.now)
    answer(document, settings)


@owner_keys.command(cls=Verb, short_help="Revoke a key.")
@click.argument("key", metavar="KEYID")
@click.option("--at", default="", metavar="T", help="Invalid from; now.")
@pass_settings
def revoke(settings: Settings, key: str, at: str) -> None:
    """Record that signatures by the key KEYID are no longer valid.

    Statements recorded before stay valid. With --at a time in the past, statements
    after that time are invalid, too: use the time when the key may have been stolen.
    KEYID is the id, or a prefix of it.
    """
    from answerable.services.statements import owner_keys as flow

    only_a_person(settings)
    with opened(settings, writes=True) as session:
        since = moment(at, session.now, "--at") if at else None
        document = flow.revoke(
            session.store, key, since=since, uid=os.getuid(), now=session.now
        )
    answer(document, settings)
