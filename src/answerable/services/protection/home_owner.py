"""Owner of the agents of a home: its git user."""

from pathlib import Path

from answerable.connectors.bounded_folder import read_file
from answerable.connectors.home.parse.person import parse_git_person
from answerable.model.errors import UsageError
from answerable.model.ids import build_person_id


def choose_owner(named: str, home: Path) -> str:
    """Return the named owner of agents, else the git user of the home.

    Raises:
        UsageError: The named owner cannot be a person.
    """
    if not named:
        return find_git_owner(home)
    if any(map(str.isspace, build_person_id(named))):
        raise UsageError(
            f"not a person (got {named.strip()[:200]!r}, expected one address or "
            "handle)",
            "for example --owner ana@corp.example",
        )
    return named.strip()


def find_git_owner(home: Path) -> str:
    """Return the mail address of the git user of a home; empty if it names none."""
    for name in (".gitconfig", ".config/git/config"):
        if (home / name).is_file():
            text = read_file(str(home / name)).decode("utf-8", "replace")
            _, email = parse_git_person(text)
            if email:
                return email
    return ""
