"""Find the person of a home: its folder's login name, and the git user."""

from collections.abc import Mapping, Sequence

from answerable.connectors.formats.agent_config import ConfigDocument
from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    read_jwt_email,
)
from answerable.connectors.formats.ini_parser import parse_ini
from answerable.connectors.formats.redaction import make_printable_line
from answerable.model.ids import build_person_id
from answerable.model.person import Person
from answerable.model.provenance import WrittenBy

_EMAIL_LIMIT = 320
# Where clients keep the account that they are signed in with.
_ACCOUNTS = (
    ("claude-code", ("oauthAccount", "emailAddress")),
    ("codex", ("tokens", "id_token")),
    ("gemini-cli", ("active",)),
)


def find_client_accounts(
    configs: Mapping[str, Sequence[ConfigDocument]],
) -> tuple[str, ...]:
    """Return the e-mail addresses that the clients of a home are signed in with."""
    found: dict[str, None] = {}
    for client, keys in _ACCOUNTS:
        for file in configs.get(client, ()):
            node = file.document.root.descend(*keys)
            text = node.text() if node is not None else ""
            email = read_jwt_email(text) or text
            if "@" in email and " " not in email and len(email) < _EMAIL_LIMIT:
                found[email] = None
    return tuple(found)


def parse_git_person(text: str) -> tuple[str, str]:
    """Return `user.name` and `user.email` of a git configuration, empty if unset."""
    user = {
        setting.name: setting.value.strip('"')
        for setting in parse_ini(text)
        if setting.section == "user"
    }
    return user.get("name", ""), user.get("email", "")


def build_home_person(
    login: str,
    name: str,
    aliases: tuple[str, ...],
    place: str,
    context: SightingContext,
) -> tuple[Person, ...]:
    """Build the person of a home: login name, and self-reported name and aliases.

    The login is the folder's own name, which no process in it can change. Name and
    aliases come from files that an agent of the same person could have written, so they
    are a separate, self-reported sighting.
    """
    person = build_person_id(login)
    folder = context.get_provenance(place, WrittenBy.PLATFORM)
    known = Person(person, "", (), team=False, alive=True, seen=folder)
    folded = tuple(
        dict.fromkeys(make_printable_line(alias).lower() for alias in aliases if alias)
    )
    if not folded and not name:
        return (known,)
    shown = make_printable_line(name) if name else ""
    said = Person(
        person,
        shown,
        folded,
        team=False,
        alive=True,
        seen=context.get_provenance(place),
    )
    return (known, said)
