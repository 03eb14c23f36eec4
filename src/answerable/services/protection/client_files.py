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
    """Configuration file of a client that may be changed.

    Attributes:
        target: File that is changed where the path, or a folder of it, is a link.
    """

    path: Path
    kind: ClientConfigFile
    data: bytes
    target: Path | None = None

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
    targets: dict[Path, Path] = {}
    refused: list[Refusal] = []
    for root, kind, path in _iter_candidates(home, folder):
        if path in files or (clients and kind.client not in clients):
            continue
        if any(mark in f"/{kind.path}" for mark in _PACKAGED):
            reason = "a plugin installed it, and replaces it"
        else:
            reason = find_obstacle(path, root, is_home=root == home)
        real = path.resolve()
        if not reason and real in targets:
            reason = f"it is the same file as {targets[real]}"
        if reason:
            refused.append(Refusal(path, kind.client, "", reason))
            continue
        try:
            target = find_link_target(path, root)
            files[path] = ClientFile(path, kind, read_file(str(path)), target)
            targets[real] = path
        except OSError as error:
            reason = error.strerror or "it is unreadable or too large"
            refused.append(Refusal(path, kind.client, "", reason))
    if home == Path(os.path.expanduser("~")):
        refused += [
            Refusal(Path(kind.path), kind.client, "", "an administrator manages it")
            for kind in MANAGED_FILES
            if Path(kind.path).exists() and (not clients or kind.client in clients)
        ]
    return tuple(files.values()), tuple(refused)


def find_link_target(path: Path, root: Path) -> Path | None:
    """Return the file that a path leads to by a link below a root; None without one."""
    real = path.resolve()
    return None if real == root.resolve() / path.relative_to(root) else real


def find_obstacle(path: Path, root: Path, *, is_home: bool) -> str:
    """Return the reason why a file may not be changed; empty where it may.

    A missing file may be created in an existing folder of ours. A link in a home may lead
    to any file of ours, such as one of a dotfiles repository. One in a project may not
    lead out of it: its author may be another person.
    """
    target = find_link_target(path, root)
    real = target or path
    if target is not None and not (is_home or target.is_relative_to(root.resolve())):
        return "it is a link to a file outside the folder"
    try:
        facts = real.lstat()
    except FileNotFoundError:
        facts = None
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if facts is None and path.is_symlink():
        return "it is a link to a missing file"
    if facts is not None and (reason := _find_obstacle_of_status(facts)):
        return reason
    if real.parent.is_dir() and real.parent.stat().st_uid != os.geteuid():
        return "its folder belongs to another user"
    return ""


def _find_obstacle_of_status(facts: os.stat_result) -> str:
    """Return the reason why a file of this status may not be changed; empty if it may."""
    if stat.S_ISLNK(facts.st_mode):
        return "it is a link to itself"
    if not stat.S_ISREG(facts.st_mode):
        return "it is not a regular file"
    if facts.st_uid != os.geteuid():
        return "it belongs to another user"
    return "" if facts.st_mode & stat.S_IWUSR else "it is read-only"


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
    """Return whether a kind of file can have server entries of a client."""
    return bool(kind.maps) and kind.role in _ROLES and kind.client not in _OTHER_CLIENTS
