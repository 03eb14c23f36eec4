"""Read a home directory; executes nothing and uses no found credential."""

import os
from dataclasses import replace

from answerable.connectors.bounded_folder import (
    BoundedFolder,
    invalid_file_problem,
    printable_path,
)
from answerable.connectors.formats.agent_clients import HOME_FILES, MANAGED_FILES
from answerable.connectors.formats.agent_config import (
    ConfigDocument,
    build_client_facts,
)
from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
)
from answerable.connectors.formats.aws_profiles import build_profile_credentials
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.connectors.formats.home_ownership import (
    build_home_evidence,
    build_login_evidence,
)
from answerable.connectors.formats.os_paths import paths_on_all_systems
from answerable.connectors.home.declaration import DECLARATION
from answerable.connectors.home.parse.ambient_files import AMBIENT_FILES
from answerable.connectors.home.parse.person import (
    build_home_person,
    find_client_accounts,
    parse_git_person,
)
from answerable.connectors.inherited_settings import (
    is_own_home,
    parse_config_document,
    read_managed_settings,
)
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, ParseError, UsageError
from answerable.model.ids import build_person_id
from answerable.model.sighting import Probe, SightedFacts, Sync

_GIT_CONFIGS = (".gitconfig", ".config/git/config")


def sync(location: str, context: SyncContext) -> Sync:
    """Read a home directory completely into a sync result.

    Raises:
        UsageError: The folder is missing.
        EnvironmentFailure: It is not readable.
    """
    folder = BoundedFolder.open(location or "~")
    place = printable_path(folder.root)
    login = printable_path(folder.root.name or "host")
    sighting_context = SightingContext(
        source=f"home:{place}",
        scope=f"home:{place}",
        written_by=DECLARATION.written_by,
        now=context.now,
        fingerprint=context.fingerprint,
        login=login,
    )
    probes: list[Probe] = []
    ambient = _read_ambient_files(folder, sighting_context, probes)
    sighting_context = replace(
        sighting_context,
        profile_keys=ambient.profile_keys,
        profiles=frozenset(ambient.profiles),
        contexts=ambient.contexts,
        proves={link.credential: link.identity for link in ambient.links},
    )
    groups = _read_client_configs(folder, sighting_context, probes, context)
    clients = [
        build_client_facts(
            client,
            (login,),
            files,
            sighting_context,
            folder.read_env_file,
            folder.read_named_file,
        )
        for client, files in groups.items()
    ]
    name, email = _read_git_person(folder)
    person = build_person_id(login)
    aliases = (email, *find_client_accounts(groups), *ambient.handles)
    agents = tuple(agent for client in clients for agent in client.agents)
    problems = [problem for client in clients for problem in client.problems]
    return Sync(
        source=sighting_context.source,
        connector=DECLARATION.name,
        started_at=context.now,
        facts=SightedFacts(
            persons=build_home_person(login, name, aliases, place, sighting_context),
            agents=agents,
            tools=tuple(tool for client in clients for tool in client.tools),
            credentials=(
                *(item for client in clients for item in client.credentials),
                *ambient.credentials,
            ),
            links=(*ambient.links, *(k for client in clients for k in client.links)),
            identities=(
                *ambient.identities,
                *(each for client in clients for each in client.identities),
            ),
            evidence=(
                *build_home_evidence(person, agents, place, sighting_context),
                *build_login_evidence(
                    person,
                    tuple(ambient.identities),
                    tuple(ambient.links),
                    sighting_context,
                ),
            ),
        ),
        probes=tuple(probes),
        problems=tuple(dict.fromkeys((*folder.problems, *problems))),
        collected=DECLARATION.collects,
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List every path that a sync would read, and whether it exists."""
    try:
        folder = BoundedFolder.open(location or "~")
    except (UsageError, EnvironmentFailure):
        return tuple(Probe(path, "", found=False) for path in DECLARATION.reads)
    probes: list[Probe] = []
    for entry in HOME_FILES:
        _expand_and_probe(
            folder, entry.path, f"{entry.client} {entry.role.value}", probes
        )
    for ambient in AMBIENT_FILES:
        _expand_and_probe(folder, ambient.path, ambient.description, probes)
    for path in _GIT_CONFIGS:
        _expand_and_probe(folder, path, "git identity", probes)
    for entry in MANAGED_FILES:
        found = os.path.exists(entry.path) if is_own_home(folder.root) else None
        what = f"{entry.client} settings of this machine's administrator"
        probes.append(Probe(entry.path, what, found))
    return tuple(probes)


def _expand_and_probe(
    folder: BoundedFolder, pattern: str, description: str, probes: list[Probe]
) -> list[str]:
    """List the files that match a pattern in the layout of any system."""
    found: list[str] = []
    for spelled in paths_on_all_systems(pattern):
        paths = folder.expand_glob(spelled)
        probes += [
            Probe(folder.printable_absolute_path(path), description, found=True)
            for path in paths
        ]
        if not paths:
            probes.append(
                Probe(folder.printable_absolute_path(spelled), description, found=False)
            )
        found += paths
    return found


def _read_ambient_files(
    folder: BoundedFolder, sighting_context: SightingContext, probes: list[Probe]
) -> AmbientFacts:
    """Read the ambient credential files, and build their facts."""
    ambient = AmbientFacts()
    for entry in AMBIENT_FILES:
        for path in _expand_and_probe(folder, entry.path, entry.description, probes):
            if path.endswith(".pub"):
                continue
            data = folder.read(path)
            if data is None:
                continue
            place = folder.printable_absolute_path(path)
            try:
                entry.parse(data, AmbientFileSource(place, sighting_context), ambient)
            except ParseError as error:
                folder.problems.append(invalid_file_problem(place, error))
    build_profile_credentials(ambient)
    return ambient


def _read_client_configs(
    folder: BoundedFolder,
    sighting_context: SightingContext,
    probes: list[Probe],
    context: SyncContext,
) -> dict[str, list[ConfigDocument]]:
    """Read the configuration files of every client."""
    read: list[ConfigDocument] = []
    for number, entry in enumerate(HOME_FILES):
        context.progress(number, len(HOME_FILES), entry.client)
        what = f"{entry.client} {entry.role.value}"
        for path in _expand_and_probe(folder, entry.path, what, probes):
            data = folder.read(path)
            if data is not None:
                place = folder.printable_absolute_path(path)
                read += parse_config_document(
                    entry, data, place, sighting_context.written_by, folder.problems
                )
    if is_own_home(folder.root):
        read += read_managed_settings(probes, folder.problems)
    groups: dict[str, list[ConfigDocument]] = {}
    for document in read:
        groups.setdefault(document.entry.client, []).append(document)
    return groups


def _read_git_person(folder: BoundedFolder) -> tuple[str, str]:
    """Return the name and e-mail address of the git user, empty if unset."""
    for path in _GIT_CONFIGS:
        if not folder.expand_glob(path):
            continue
        data = folder.read(path)
        if data is not None:
            return parse_git_person(data.decode("utf-8", "replace"))
    return "", ""
