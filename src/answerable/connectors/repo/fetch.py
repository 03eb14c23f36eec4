"""Fetch of a project folder at every depth, with hidden folders; executes nothing."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from answerable.connectors.bounded_folder import Folder, invalid, show_path
from answerable.connectors.formats.agent_clients import (
    PROJECT_FILES,
    ConfigFile,
    fits_end,
    project_file,
)
from answerable.connectors.formats.agent_config import (
    ClientSightings,
    ConfigDocument,
    sight_client,
)
from answerable.connectors.formats.document_parser import (
    Format,
    decode_text,
    parse_document,
)
from answerable.connectors.formats.dotenv import is_env_file
from answerable.connectors.formats.env_file import sight_variables
from answerable.connectors.formats.home_ownership import home_evidence
from answerable.connectors.formats.home_paths import is_home_file
from answerable.connectors.formats.sighting_context import Frame, sight_credential
from answerable.connectors.inherited_settings import (
    home_around,
    read_document,
    read_user_settings,
    user_home,
)
from answerable.connectors.repo.declaration import SPEC, WORKFLOWS
from answerable.connectors.repo.parse.agent_jobs import JobSightings, sight_job
from answerable.connectors.repo.parse.codeowners import LOCATIONS, parse_codeowners
from answerable.connectors.repo.parse.github_workflow import parse_workflow
from answerable.connectors.repo.parse.path_owners import sight_owners
from answerable.connectors.repo.parse.project_name import (
    home_of,
    project_slug,
    remote_credentials,
)
from answerable.model.agent import Agent
from answerable.model.connector import SyncContext
from answerable.model.credential import Credential
from answerable.model.errors import EnvironmentRefused, ParseError, UsageError
from answerable.model.ids import person_id
from answerable.model.person import OwnerEvidence, Person
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Facts, Probe, Problem, ProblemKind, Sync

_PROGRESS_EVERY = 1_000


@dataclass(slots=True)
class _Found:
    """Paths of interest, relative to the scanned folder.

    Attributes:
        configs: Files of clients.
        workflows: GitHub workflows.
        owners: Code owners files.
        bases: Projects.
        skipped: Skipped folders.
        env_files: Environment files.
        homes: Homes in the folder covered by `home:`, with `/` at the end.
        of_homes: Files covered by `home:`.
    """

    configs: list[tuple[str, ConfigFile]] = field(default_factory=list)
    workflows: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=lambda: [""])
    skipped: list[str] = field(default_factory=list)
    env_files: list[str] = field(default_factory=list)
    homes: tuple[str, ...] = ()
    of_homes: list[str] = field(default_factory=list)

    def base_of(self, path: str) -> str:
        """Return the innermost project that contains a path."""
        fitting = [base for base in self.bases if _holds(base, path)]
        return max(fitting, key=len)


@dataclass(slots=True)
class _Project:
    """Project with its name and code owners."""

    name: str
    owners_path: str


def sync(location: str, context: SyncContext) -> Sync:
    """Read a project completely.

    Raises:
        UsageError: The folder is missing.
        EnvironmentRefused: It is not readable.
    """
    folder = Folder.open(location)
    place = show_path(folder.root)
    user = user_home(folder.root, context.homes)
    home = show_path(user) if user else home_around(folder.root)
    frame = Frame(
        source=f"repo:{place}",
        scope=f"home:{home}" if home else "",
        written_by=SPEC.written_by,
        now=context.now,
        fingerprint=context.fingerprint,
        login=home.rpartition("/")[2],
    )
    found = _look(folder, context)
    remotes: list[Credential] = []
    projects = {
        base: _Project(_name(folder, base, frame, remotes), _owners_path(found, base))
        for base in found.bases
    }
    inherited: list[Probe] = []
    clients = _read_clients(folder, found, projects, frame, user, inherited)
    variables = _read_env_files(folder, found, frame)
    jobs = _read_workflows(folder, found, projects, frame)
    agents = [
        (agent, _inside(folder, agent), WrittenBy.SELF_REPORTED)
        for client in clients
        for agent in client.agents
    ] + jobs.agents
    people, evidence = _read_owners(folder, found, projects, agents, frame)
    if home:
        login = person_id(home.rpartition("/")[2])
        local = tuple(agent for client in clients for agent in client.agents)
        evidence += home_evidence(login, local, home, frame)
    problems = [problem for client in clients for problem in client.problems]
    return Sync(
        source=frame.source,
        connector=SPEC.name,
        started_at=context.now,
        facts=Facts(
            persons=people,
            agents=tuple(agent for agent, _, _ in agents),
            tools=(
                *(tool for client in clients for tool in client.tools),
                *jobs.tools,
            ),
            credentials=(
                *dict.fromkeys(
                    (*(c for client in clients for c in client.credentials), *variables)
                ),
                *jobs.credentials,
                *remotes,
            ),
            links=(*(k for client in clients for k in client.links), *jobs.links),
            identities=(
                *(each for client in clients for each in client.identities),
                *jobs.identities,
            ),
            evidence=evidence,
        ),
        probes=(*_probes(folder, found), *inherited),
        problems=tuple(dict.fromkeys((*folder.problems, *problems))),
        collected=SPEC.collects,
    )


def where(location: str) -> tuple[Probe, ...]:
    """List every file that a sync would read, without reading contents."""
    try:
        folder = Folder.open(location)
    except (UsageError, EnvironmentRefused):
        return tuple(Probe(path, "", found=False) for path in SPEC.reads)
    return _probes(folder, _look(folder, None))


def _homes_inside(root: Path, homes: Sequence[str]) -> Iterator[str]:
    """Yield each home that is in or equals a folder, relative to the folder."""
    base = os.path.realpath(root)
    for home in homes:
        real = os.path.realpath(home)
        if real == base:
            yield ""
        elif real.startswith(base.rstrip("/") + "/"):
            yield os.path.relpath(real, base) + "/"


def _look(folder: Folder, context: SyncContext | None) -> _Found:
    """Walk the folder by file names alone."""
    homes = context.homes if context is not None else ()
    found = _Found(homes=tuple(_homes_inside(folder.root, homes)))

    def skip(path: str) -> bool:
        parts = path.split("/")
        if parts[-1] in ("objects", "lfs") and ".git" in parts:
            found.skipped.append(path)
            return True
        return False

    for number, path in enumerate(folder.walk(skip)):
        if context is not None and number % _PROGRESS_EVERY == 0:
            context.progress(number, 0, "files")
        _take(path, found)
    return found


def _take(path: str, found: _Found) -> None:
    parts = path.split("/")
    if ".git" in parts:
        if parts[-2:] == [".git", "HEAD"] or parts[-1] == ".git":
            base = "/".join(parts[: parts.index(".git")])
            if base not in found.bases:
                found.bases.append(base)
        return
    if any(path.startswith(h) and is_home_file(path[len(h) :]) for h in found.homes):
        found.of_homes.append(path)
        return
    entry = project_file(path)
    if entry is not None:
        found.configs.append((path, entry))
    elif any(fits_end(parts, pattern.split("/")) for pattern in WORKFLOWS):
        found.workflows.append(path)
    elif parts[-1] == "CODEOWNERS":
        found.owners.append(path)
    elif is_env_file(parts[-1]):
        found.env_files.append(path)


def _name(folder: Folder, base: str, frame: Frame, remotes: list[Credential]) -> str:
    """Return `OWNER/NAME` of a project's origin, else the name of its folder."""
    path = _join(base, ".git/config")
    data = folder.read(path) if folder.expand(path) else None
    text = data.decode("utf-8", "replace") if data is not None else ""
    remotes += [
        sight_credential(item, folder.place(path), frame)
        for item in remote_credentials(text)
    ]
    name = base.rpartition("/")[2] or folder.root.name or "root"
    return project_slug(text) or show_path(name)


def _read_clients(
    folder: Folder,
    found: _Found,
    projects: dict[str, _Project],
    frame: Frame,
    user: str,
    probes: list[Probe],
) -> list[ClientSightings]:
    groups: dict[tuple[str, tuple[str, ...]], list[ConfigDocument]] = {}
    for path, entry in found.configs:
        data = folder.read(path)
        if data is None:
            continue
        place = folder.place(path)
        base = found.base_of(path)
        inside = home_of(path.removeprefix(base).lstrip("/"), entry)
        parts = (projects[base].name, *([inside] if inside else []))
        documents = read_document(entry, data, place, frame.written_by, folder.problems)
        if documents:
            groups.setdefault((entry.client, parts), []).extend(documents)
    above: dict[str, list[ConfigDocument]] = {}
    if user:
        names = {client for client, _ in groups}
        for document in read_user_settings(
            user, names, frame.written_by, folder.problems, probes
        ):
            above.setdefault(document.entry.client, []).append(document)
    return [
        sight_client(
            client,
            parts,
            [*files, *above.get(client, ())],
            frame,
            folder.read_env_file,
            folder.read_named_file,
        )
        for (client, parts), files in groups.items()
    ]


def _read_env_files(folder: Folder, found: _Found, frame: Frame) -> list[Credential]:
    """Read `.env` files, which any agent in the project can read."""
    credentials: list[Credential] = []
    for path in found.env_files:
        read = folder.read_env_file(folder.place(path), path.rpartition("/")[2])
        if read is not None:
            credentials += sight_variables(read, frame)
    return credentials


def _read_workflows(
    folder: Folder, found: _Found, projects: dict[str, _Project], frame: Frame
) -> JobSightings:
    out = JobSightings()
    for path in found.workflows:
        data = folder.read(path)
        if data is None:
            continue
        place = folder.place(path)
        try:
            root = parse_document(data, Format.YAML, place).root
            jobs = parse_workflow(root)
        except ParseError as error:
            folder.problems.append(invalid(place, error))
            continue
        base = found.base_of(path)
        file = path.rpartition("/")[2]
        for job in jobs:
            sight_job(job, (projects[base].name, file), path, place, frame, out)
    return out


def _read_owners(
    folder: Folder,
    found: _Found,
    projects: dict[str, _Project],
    agents: list[tuple[Agent, str, WrittenBy]],
    frame: Frame,
) -> tuple[tuple[Person, ...], tuple[OwnerEvidence, ...]]:
    people: dict[str, Person] = {}
    evidence: list[OwnerEvidence] = []
    for base, project in projects.items():
        data = folder.read(project.owners_path) if project.owners_path else None
        if data is None:
            continue
        place = folder.place(project.owners_path)
        try:
            owners = parse_codeowners(decode_text(data, place))
        except ParseError as error:
            folder.problems.append(invalid(place, error))
            continue
        folder.problems += [
            Problem(
                ProblemKind.INVALID, f"{place}#/{line}", "not a rule of code owners"
            )
            for line in owners.faults
        ]
        own = [
            (agent, path.removeprefix(base).lstrip("/"), author)
            for agent, path, author in agents
            if found.base_of(path) == base
        ]
        named, reasons = sight_owners(owners, own, place, frame)
        people |= {person.id: person for person in named}
        evidence += reasons
    return tuple(people.values()), tuple(evidence)


def _owners_path(found: _Found, base: str) -> str:
    """Return the effective code owners file: the first of three places."""
    for location in LOCATIONS:
        path = _join(base, location)
        if path in found.owners:
            return path
    return ""


def _inside(folder: Folder, agent: Agent) -> str:
    file = agent.place.partition("#")[0]
    return file.removeprefix(show_path(folder.root)).lstrip("/")


def _probes(folder: Folder, found: _Found) -> tuple[Probe, ...]:
    probes = [
        Probe(folder.place(path), f"{entry.client} {entry.role.value}", found=True)
        for path, entry in found.configs
    ]
    probes += [Probe(folder.place(path), "workflow", True) for path in found.workflows]
    probes += [Probe(folder.place(path), "owners", True) for path in found.owners]
    there = {entry.path for _, entry in found.configs}
    for entry in PROJECT_FILES:
        if entry.path not in there:
            what = f"{entry.client} {entry.role.value}"
            probes.append(Probe(folder.place(f"**/{entry.path}"), what, found=False))
    probes += [
        Probe(folder.place(path), "environment file", True) for path in found.env_files
    ]
    for path in found.of_homes:
        probes.append(Probe(folder.place(path), "read by `home:`", None))
    for path in found.skipped:
        probes.append(Probe(folder.place(path), "git's own objects; not read", None))
    for path in folder.left_out:
        probes.append(
            Probe(folder.place(path), "a link that leads outside; not followed", None)
        )
    return tuple(probes)


def _holds(base: str, path: str) -> bool:
    return not base or path == base or path.startswith(base + "/")


def _join(base: str, path: str) -> str:
    return f"{base}/{path}" if base else path
