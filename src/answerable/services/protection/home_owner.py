"""Owner of the agents of a home: its git user."""

from pathlib import Path

from answerable.connectors.bounded_folder import read_file
from answerable.connectors.home.parse.person import parse_git_person


def find_git_owner(home: Path) -> str:
    """Return the mail address of the git user of a home; empty if it names none."""
    for name in (".gitconfig", ".config/git/config"):
        if (home / name).is_file():
            text = read_file(str(home / name)).decode("utf-8", "replace")
            _, email = parse_git_person(text)
            if email:
                return email
    return ""
