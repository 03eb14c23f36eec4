"""Resolve the file name in `envFile` to paths inside the scanned folder."""

import re
from pathlib import PurePosixPath

_PROJECT = (
    "${workspaceFolder}",
    "${workspaceRoot}",
    "${CLAUDE_PROJECT_DIR}",
    "${workspacePath}",
)
_HOME = (
    "${userHome}",
    "${env:HOME}",
    "${HOME}",
    "$HOME",
    "~",
    "%USERPROFILE%",
    "${env:USERPROFILE}",
    "$env:USERPROFILE",
)
# Where operating systems keep homes: a copy of one lies elsewhere.
_HOMES = re.compile(r"(?:[A-Za-z]:)?/(?:home|Users)/([^/]+)/(.+)")


def candidate_env_files(config: str, name: str, root: str) -> tuple[str, ...]:
    """List candidates for a named environment file, relative to the root.

    Args:
        config: Absolute path of the configuration that names it.
        name: File name as written there.
        root: Absolute path of the scanned folder.

    Returns:
        Paths inside the root, likeliest first; empty if the name leads outside or
        contains a reference that is unknown offline.
    """
    name = name.replace("\\", "/")
    elsewhere = _HOMES.fullmatch(name)
    if elsewhere and elsewhere[1] == PurePosixPath(root).name:
        name = f"~/{elsewhere[2]}"
    folder = PurePosixPath(config).parent
    bases = [folder]
    while bases[-1].name.startswith("."):
        bases.append(bases[-1].parent)
    for mark in (*_PROJECT, *_HOME):
        if name.startswith(f"{mark}/"):
            name = name[len(mark) + 1 :]
            bases = bases[::-1] if mark in _PROJECT else [PurePosixPath(root)]
            break
    if "${" in name or "\x00" in name or len(name) > 4_096:
        return ()
    found = [_path_inside(base / name, PurePosixPath(root)) for base in bases]
    return tuple(dict.fromkeys(path for path in found if path))


def _path_inside(path: PurePosixPath, root: PurePosixPath) -> str:
    """Return a normalised path relative to the root, empty outside it."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    plain = PurePosixPath(*parts)
    return str(plain.relative_to(root)) if plain.is_relative_to(root) else ""
