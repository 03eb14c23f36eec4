"""Walk a project folder, and classify the paths of interest by file names alone."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from answerable.connectors.bounded_folder import BoundedFolder
from answerable.connectors.formats.agent_clients import (
    PROJECT_FILES,
    ClientConfigFile,
    find_project_file_kind,
    matches_path_end,
)
from answerable.connectors.formats.client_config_paths import is_client_config_path
from answerable.connectors.formats.dotenv import is_env_file
from answerable.connectors.repo.declaration import WORKFLOWS
from answerable.model.connector import SyncContext
from answerable.model.sighting import Probe

_PROGRESS_EVERY = 1_000


@dataclass(slots=True)
class ProjectPaths:
    """Paths of interest, relative to the scanned folder.

    Attributes:
        configs: Files of clients.
        workflows: GitHub workflows.
        owners: Code owners files.
        bases: Projects.
        skipped: Skipped folders.
        env_files: Environment files.
        homes: Homes in the folder covered by `home:`, with `/` at the end.
        home_files: Files covered by `home:`.
    """

    configs: list[tuple[str, ClientConfigFile]] = field(default_factory=list)
    workflows: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=lambda: [""])
    skipped: list[str] = field(default_factory=list)
    env_files: list[str] = field(default_factory=list)
    homes: tuple[str, ...] = ()
    home_files: list[str] = field(default_factory=list)

    def innermost_project(self, path: str) -> str:
        """Return the innermost project folder that contains a path."""
        fitting = [base for base in self.bases if _is_path_inside(base, path)]
        return max(fitting, key=len)


def _list_homes_inside(root: Path, homes: Sequence[str]) -> Iterator[str]:
    """Yield each home that is in or equals a folder, relative to the folder."""
    base = os.path.realpath(root)
    for home in homes:
        real = os.path.realpath(home)
        if real == base:
            yield ""
        elif real.startswith(base.rstrip("/") + "/"):
            yield os.path.relpath(real, base) + "/"


def walk_project(folder: BoundedFolder, context: SyncContext | None) -> ProjectPaths:
    """Walk the folder by file names alone."""
    homes = context.homes if context is not None else ()
    found = ProjectPaths(homes=tuple(_list_homes_inside(folder.root, homes)))

    def skip(path: str) -> bool:
        parts = path.split("/")
        if parts[-1] in ("objects", "lfs") and ".git" in parts:
            found.skipped.append(path)
            return True
        return False

    for number, path in enumerate(folder.walk(skip)):
        if context is not None and number % _PROGRESS_EVERY == 0:
            context.progress(number, 0, "files")
        _classify_path(path, found)
    return found


def _classify_path(path: str, project_paths: ProjectPaths) -> None:
    """Add a path to the group of files that it belongs to."""
    parts = path.split("/")
    if ".git" in parts:
        if parts[-2:] == [".git", "HEAD"] or parts[-1] == ".git":
            base = "/".join(parts[: parts.index(".git")])
            if base not in project_paths.bases:
                project_paths.bases.append(base)
        return
    if any(
        path.startswith(h) and is_client_config_path(path[len(h) :])
        for h in project_paths.homes
    ):
        project_paths.home_files.append(path)
        return
    entry = find_project_file_kind(path)
    if entry is not None:
        project_paths.configs.append((path, entry))
    elif any(matches_path_end(parts, pattern.split("/")) for pattern in WORKFLOWS):
        project_paths.workflows.append(path)
    elif parts[-1] == "CODEOWNERS":
        project_paths.owners.append(path)
    elif is_env_file(parts[-1]):
        project_paths.env_files.append(path)


def list_found_and_missing_files(
    folder: BoundedFolder, project_paths: ProjectPaths
) -> tuple[Probe, ...]:
    """List the found files, and the project files that were searched for."""
    there = {entry.path for _, entry in project_paths.configs}
    missing = [
        (f"**/{entry.path}", entry)
        for entry in PROJECT_FILES
        if entry.path not in there
    ]
    return tuple(
        Probe(folder.printable_absolute_path(path), what, state)
        for paths, what, state in (
            *(
                ([path], _describe_file(entry), True)
                for path, entry in project_paths.configs
            ),
            (project_paths.workflows, "workflow", True),
            (project_paths.owners, "owners", True),
            *(([path], _describe_file(entry), False) for path, entry in missing),
            (project_paths.env_files, "environment file", True),
            (project_paths.home_files, "read by `home:`", None),
            (project_paths.skipped, "git's own objects; not read", None),
            (
                folder.skipped,
                "a link to a place outside the folder; not followed",
                None,
            ),
        )
        for path in paths
    )


def _describe_file(entry: ClientConfigFile) -> str:
    """Describe a configuration file by client and role, for problems."""
    return f"{entry.client} {entry.role.value}"


def _is_path_inside(base: str, path: str) -> bool:
    """Return whether a path is a folder or inside it."""
    return not base or path == base or path.startswith(base + "/")
