"""Find the configuration files of the clients of a home that `protect` may change."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from answerable.connectors.bounded_folder import read_file
from answerable.connectors.formats.agent_clients import (
    HOME_FILES,
    MANAGED_FILES,
    PROJECT_FILES,
    ClientConfigFile,
    FileRole,
)
from answerable.connectors.formats.os_paths import paths_on_all_systems
from answerable.model.errors import UsageError
from answerable.services.protection.protection_plan import Refusal

_ROLES = (FileRole.SERVERS, FileRole.SETTINGS)
_PACKAGED = ("/plugins/", "/extensions/", "plugin.json", "gemini-extension.json")
# Lists of a gateway of its own, not entries that a client starts.
_OTHER_CLIENTS = frozenset({"docker-mcp"})


@dataclass(frozen=True, slots=True)
class ClientFile:
    """Configuration file of a client that may be changed."""

    path: Path
    kind: ClientConfigFile
    data: bytes

    def __repr__(self) -> str:
        return f"ClientFile({str(self.path)!r})"


def require_known_clients(clients: tuple[str, ...]) -> None:
    """Require names of agent clients whose files can hold servers.

    Raises:
        UsageError: A name is unknown; the hint has the nearest spelling.
    """
    known = sorted(
        {kind.client for kind in (*HOME_FILES, *PROJECT_FILES) if _has_servers(kind)}
    )
    for name in clients:
        if name not in known:
            close = get_close_matches(name.lower(), known, n=1)
            hint = (
                f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            )
            raise UsageError(f"unknown client (got {name[:80]!r})", hint)


def find_client_files(
    home: Path | None, folder: Path | None, clients: tuple[str, ...]
) -> tuple[tuple[ClientFile, ...], tuple[Refusal, ...]]:
    """Find the files with servers of the clients, and the ones that are refused.

    Args:
        home: Home directory; None for the files of the folder alone.
        folder: Project folder; None for none.
        clients: Agent clients; empty for all.
    """
    files: dict[Path, ClientFile] = {}
    refused: list[Refusal] = []
    for root, kind, path in _iter_candidates(home, folder):
        if path in files or (clients and kind.client not in clients):
            continue
        if any(mark in f"/{kind.path}" for mark in _PACKAGED):
            reason = "a plugin installed it, and replaces it"
        else:
            reason = find_obstacle(path, root)
        if reason:
            refused.append(Refusal(path, kind.client, "", reason))
            continue
        try:
            files[path] = ClientFile(path, kind, read_file(str(path)))
        except OSError as error:
            reason = error.strerror or "not a readable file of a usual size"
            refused.append(Refusal(path, kind.client, "", reason))
    if home == Path(os.path.expanduser("~")):
        refused += [
            Refusal(Path(kind.path), kind.client, "", "an administrator manages it")
            for kind in MANAGED_FILES
            if Path(kind.path).exists() and (not clients or kind.client in clients)
        ]
    return tuple(files.values()), tuple(refused)


def find_obstacle(path: Path, root: Path) -> str:
    """Return the reason why a file may not be changed; empty where it may.

    A missing file may be created in an existing folder of ours.
    """
    if not path.parent.resolve().is_relative_to(root.resolve()):
        return "its folder is a link to elsewhere"
    try:
        facts = path.lstat()
    except FileNotFoundError:
        facts = None
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if facts is not None:
        if stat.S_ISLNK(facts.st_mode):
            return "it is a link: another program manages it"
        if not stat.S_ISREG(facts.st_mode):
            return "it is no regular file"
        if facts.st_uid != os.geteuid():
            return "it belongs to another user"
        if not facts.st_mode & stat.S_IWUSR:
            return "it is read-only"
    if path.parent.is_dir() and path.parent.stat().st_uid != os.geteuid():
        return "its folder belongs to another user"
    return ""


def _iter_candidates(
    home: Path | None, folder: Path | None
) -> Iterator[tuple[Path, ClientConfigFile, Path]]:
    """Yield the existing files of clients: root, kind and path."""
    for kind in HOME_FILES:
        if _has_servers(kind) and home is not None:
            for spelled in paths_on_all_systems(kind.path):
                for path in sorted(home.glob(spelled)):
                    yield home, kind, path
    if folder is None or folder == home:
        return
    for kind in PROJECT_FILES:
        if _has_servers(kind) and "**" not in kind.path:
            for path in sorted(folder.glob(kind.path)):
                yield folder, kind, path


def _has_servers(kind: ClientConfigFile) -> bool:
    """Tell whether a kind of file can have server entries of a client."""
    return bool(kind.maps) and kind.role in _ROLES and kind.client not in _OTHER_CLIENTS
