"""Read settings that a project's agents inherit from the administrator and user."""

import contextlib
import os
import pwd
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from answerable.connectors.bounded_folder import (
    BoundedFolder,
    invalid_file_problem,
    printable_path,
    read_file,
)
from answerable.connectors.formats.agent_clients import (
    HOME_FILES,
    MANAGED_FILES,
    ClientConfigFile,
    FileRole,
)
from answerable.connectors.formats.agent_config import ConfigDocument
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.os_paths import paths_on_all_systems
from answerable.model.errors import EnvironmentFailure, ParseError, UsageError
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Probe, ReadProblem, ReadProblemKind

_PROJECT_LIST_FILE = ".claude.json"


def parse_config_document(
    entry: ClientConfigFile,
    data: bytes,
    place: str,
    written_by: WrittenBy,
    problems: list[ReadProblem],
    *,
    inherited: bool = False,
) -> list[ConfigDocument]:
    """Parse a configuration file into one document, or add a problem."""
    try:
        document = parse_document(data, entry.form, place)
    except ParseError as error:
        problems.append(invalid_file_problem(place, error))
        return []
    stem = place.rpartition("/")[2].partition(".")[0]
    return [ConfigDocument(entry, stem, document, written_by, inherited)]


def read_managed_settings(
    probes: list[Probe], problems: list[ReadProblem], *, inherited: bool = False
) -> list[ConfigDocument]:
    """Read the machine-wide settings of the administrator, which bind every agent."""
    documents: list[ConfigDocument] = []
    for entry in MANAGED_FILES:
        found = os.path.exists(entry.path)
        what = f"{entry.client} settings of this machine's administrator"
        probes.append(Probe(entry.path, what, found))
        if not found:
            continue
        try:
            data = read_file(entry.path)
        except PermissionError:
            what = "no permission"
            problems.append(ReadProblem(ReadProblemKind.PERMISSION, entry.path, what))
        except OSError:
            what = "not a readable file"
            problems.append(ReadProblem(ReadProblemKind.UNREADABLE, entry.path, what))
        else:
            author = _classify_possible_author(entry.path)
            documents += parse_config_document(
                entry, data, entry.path, author, problems, inherited=inherited
            )
    return documents


def is_own_home(root: "Path | str") -> bool:
    """Return whether a home belongs to the current user.

    Machine-wide files bind the agents of this machine; another home may be a copy from
    another machine.
    """
    return os.path.realpath(root) == os.path.realpath(os.path.expanduser("~"))


def find_enclosing_home(root: Path) -> str:
    """Return the home that contains a project, or empty.

    It is the home of the folder's owner, else of the current user: agents in a checkout
    run as the person whose home contains it.
    """
    homes = [os.path.expanduser("~")]
    with contextlib.suppress(OSError, KeyError):
        homes.insert(0, pwd.getpwuid(os.stat(root).st_uid).pw_dir)
    for home in homes:
        inside = os.path.abspath(home)
        if inside != "/" and str(root).startswith(inside + "/"):
            return printable_path(inside)
    return ""


def find_user_home(project: Path, homes: Iterable[str]) -> str:
    """Return the home of a project's user, empty for none or several.

    It is the innermost home that contains the project, else the one whose Claude Code
    has an entry for the project.
    """
    real = os.path.realpath(project)
    paths = sorted({os.path.realpath(os.path.expanduser(home)) for home in homes})
    around = [home for home in paths if real.startswith(home.rstrip("/") + "/")]
    if around:
        return max(around, key=len)
    naming = [
        home
        for home in paths
        if home != real and _home_lists_project(home, {str(project), real})
    ]
    return naming[0] if len(naming) == 1 else ""


def read_user_settings(
    home: str,
    clients: Collection[str],
    written_by: WrittenBy,
    problems: list[ReadProblem],
    probes: list[Probe],
) -> list[ConfigDocument]:
    """Read the settings that a project's agents inherit from the user.

    Claude Code: "User settings apply to all projects"
    (https://code.claude.com/docs/en/settings); the other clients do the same.
    """
    try:
        folder = BoundedFolder.open(home)
    except (UsageError, EnvironmentFailure):
        return []
    documents: list[ConfigDocument] = []
    for entry in HOME_FILES:
        if entry.client not in clients or not _applies_to_all_projects(entry):
            continue
        for path in (
            p
            for each in paths_on_all_systems(entry.path)
            for p in folder.expand_glob(each)
        ):
            place = folder.printable_absolute_path(path)
            probes.append(Probe(place, f"{entry.client} settings of the user", True))
            data = folder.read(path)
            if data is not None:
                documents += parse_config_document(
                    entry, data, place, written_by, problems, inherited=True
                )
    problems += folder.problems
    if is_own_home(home):
        managed = read_managed_settings(probes, problems, inherited=True)
        documents += [each for each in managed if each.entry.client in clients]
    return documents


def _applies_to_all_projects(entry: ClientConfigFile) -> bool:
    """Return whether a file of a home applies to all of the user's projects."""
    name = entry.path.rpartition("/")[2]
    local = name == "settings.local.json"
    return entry.role is FileRole.SETTINGS and "*" not in entry.path and not local


def _home_lists_project(home: str, projects: Collection[str]) -> bool:
    """Return whether a home's client settings list one of the projects."""
    try:
        folder = BoundedFolder.open(home)
        data = (
            folder.read(_PROJECT_LIST_FILE)
            if folder.expand_glob(_PROJECT_LIST_FILE)
            else None
        )
        if data is None:
            return False
        entries = parse_document(
            data, DocumentFormat.JSON, _PROJECT_LIST_FILE
        ).root.get("projects")
    except (UsageError, EnvironmentFailure, ParseError):
        return False
    return entries is not None and any(n in projects for n, _ in entries.members())


def _classify_possible_author(path: str) -> WrittenBy:
    """Return the author class of a managed file: root alone, or any user."""
    status = os.stat(path)
    open_to_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if status.st_uid == 0 and not open_to_others and os.getuid() != 0:
        return WrittenBy.PLATFORM
    return WrittenBy.SELF_REPORTED
