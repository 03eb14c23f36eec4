"""Declare the home connector: its name, location and the files that it reads."""

from collections.abc import Iterable, Iterator

from answerable.connectors.formats.agent_clients import HOME_FILES, MANAGED_FILES
from answerable.connectors.formats.os_paths import paths_on_all_systems
from answerable.connectors.home.parse.ambient_files import AMBIENT_FILES
from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy


def _paths_on_all_systems(paths: Iterable[str]) -> Iterator[str]:
    """Yield each path as on Linux, macOS and Windows."""
    return (spelled for path in paths for spelled in paths_on_all_systems(path))


DECLARATION = ConnectorDeclaration(
    name="home",
    gives="inventory",
    location="DIR",
    about="agent clients and ambient credentials under a home directory",
    # An agent that runs as this person can write any of these files.
    written_by=WrittenBy.SELF_REPORTED,
    reads=tuple(
        dict.fromkeys(
            [
                f"~/{path}"
                for path in _paths_on_all_systems(entry.path for entry in HOME_FILES)
            ]
            + [
                f"~/{path}"
                for path in _paths_on_all_systems(entry.path for entry in AMBIENT_FILES)
            ]
            + ["~/.gitconfig", "~/.config/git/config"]
            + [entry.path for entry in MANAGED_FILES]
        )
    ),
    permissions=(),
    collects=("agent-configs", "ambient-credentials"),
)
