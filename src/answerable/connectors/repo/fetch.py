"""Read a project folder at every depth, with hidden folders; executes nothing."""

from dataclasses import dataclass

from answerable.connectors.bounded_folder import (
    BoundedFolder,
    invalid_file_problem,
    printable_path,
)
from answerable.connectors.formats.agent_config import (
    ClientFacts,
    ConfigDocument,
    build_client_facts,
)
from answerable.connectors.formats.codeowners import LOCATIONS, parse_codeowners
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    decode_text,
    parse_document,
)
from answerable.connectors.formats.env_file import EnvFileFacts
from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    build_credential,
)
from answerable.connectors.formats.home_ownership import build_home_evidence
from answerable.connectors.formats.workflow_definition import parse_workflow_definition
from answerable.connectors.inherited_settings import (
    find_enclosing_home,
    find_user_home,
    parse_config_document,
    read_user_settings,
)
from answerable.connectors.repo.declaration import DECLARATION
from answerable.connectors.repo.parse.agent_jobs import (
    WorkflowFile,
    WorkflowJobFacts,
    add_job_facts,
)
from answerable.connectors.repo.parse.code_owner_evidence import (
    build_code_owner_evidence,
)
from answerable.connectors.repo.parse.github_workflow import parse_workflow
from answerable.connectors.repo.parse.project_name import (
    config_base_folder,
    find_remote_credentials,
    parse_owner_and_name,
)
from answerable.connectors.repo.parse.reported_workflows import (
    WORKFLOW_FOLDER,
    build_workflow_catalogue,
    build_workflow_identity,
    parse_github_remote,
)
from answerable.connectors.repo.project_walk import (
    ProjectPaths,
    list_found_and_missing_files,
    walk_project,
)
from answerable.model.agent import Agent
from answerable.model.connector import SyncContext
from answerable.model.credential import Credential
from answerable.model.errors import EnvironmentFailure, ParseError, UsageError
from answerable.model.ids import build_person_id
from answerable.model.person import OwnerEvidence, Person
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import (
    Probe,
    ReadProblem,
    ReadProblemKind,
    SightedFacts,
    Sync,
)
from answerable.reach.github.catalogue import Workflow


@dataclass(slots=True)
class _ProjectInfo:
    """Project with its name, code owners and repository on GitHub."""

    name: str
    owners_path: str
    remote: tuple[str, str] | None = None


def sync(location: str, context: SyncContext) -> Sync:
    """Read a project folder completely into a sync result.

    Raises:
        UsageError: The folder is missing.
        EnvironmentFailure: It is not readable.
    """
    folder = BoundedFolder.open(location)
    place = printable_path(folder.root)
    user = find_user_home(folder.root, context.homes)
    home = printable_path(user) if user else find_enclosing_home(folder.root)
    home = home if context.in_home else ""
    sighting_context = SightingContext(
        source=f"repo:{place}",
        scope=f"home:{home}" if home else "",
        written_by=DECLARATION.written_by,
        now=context.now,
        fingerprint=context.fingerprint,
        login=home.rpartition("/")[2],
    )
    found = walk_project(folder, context)
    remotes: list[Credential] = []
    projects = {
        base: _read_project(
            folder, base, found, sighting_context, remotes, context.project
        )
        for base in found.bases
    }
    inherited: list[Probe] = []
    clients = _read_clients(folder, found, projects, sighting_context, user, inherited)
    variables = _read_env_files(folder, found, sighting_context)
    jobs = _read_workflows(folder, found, projects, sighting_context)
    agents = [
        (agent, _relative_agent_path(folder, agent), WrittenBy.SELF_REPORTED)
        for client in clients
        for agent in client.agents
    ] + jobs.agents
    people, evidence = _read_owners(folder, found, projects, agents, sighting_context)
    if home:
        login = build_person_id(home.rpartition("/")[2])
        local = tuple(agent for client in clients for agent in client.agents)
        evidence += build_home_evidence(login, local, home, sighting_context)
    problems = [problem for client in clients for problem in client.problems]
    return Sync(
        source=sighting_context.source,
        connector=DECLARATION.name,
        started_at=context.now,
        facts=SightedFacts(
            persons=people,
            agents=tuple(agent for agent, _, _ in agents),
            tools=(
                *(tool for client in clients for tool in client.tools),
                *jobs.tools,
            ),
            credentials=(
                *dict.fromkeys(
                    (
                        *(c for client in clients for c in client.credentials),
                        *variables.credentials,
                    )
                ),
                *jobs.credentials,
                *remotes,
            ),
            links=(
                *(k for client in clients for k in client.links),
                *variables.links,
                *jobs.links,
            ),
            identities=(
                *(each for client in clients for each in client.identities),
                *variables.identities,
                *jobs.identities,
            ),
            evidence=evidence,
            catalogues=tuple(jobs.catalogues),
        ),
        probes=(*list_found_and_missing_files(folder, found), *inherited),
        problems=tuple(dict.fromkeys((*folder.problems, *problems))),
        collected=DECLARATION.collects,
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List every file that a sync would read, without reading contents."""
    try:
        folder = BoundedFolder.open(location)
    except (UsageError, EnvironmentFailure):
        return tuple(Probe(path, "", found=False) for path in DECLARATION.reads)
    return list_found_and_missing_files(folder, walk_project(folder, None))


def _read_project(
    folder: BoundedFolder,
    base: str,
    project_paths: ProjectPaths,
    sighting_context: SightingContext,
    remotes: list[Credential],
    given: str,
) -> _ProjectInfo:
    """Read a project's name: `OWNER/NAME` of its origin, else that of its folder.

    Args:
        given: Name of the project at the top, instead of that of its folder.
    """
    path = _join_path(base, ".git/config")
    data = folder.read(path) if folder.expand_glob(path) else None
    text = data.decode("utf-8", "replace") if data is not None else ""
    remotes += [
        build_credential(item, folder.printable_absolute_path(path), sighting_context)
        for item in find_remote_credentials(text)
    ]
    name = base.rpartition("/")[2] or given or folder.root.name or "root"
    return _ProjectInfo(
        parse_owner_and_name(text) or printable_path(name),
        _find_code_owners_path(project_paths, base),
        parse_github_remote(text),
    )


def _read_clients(
    folder: BoundedFolder,
    project_paths: ProjectPaths,
    projects: dict[str, _ProjectInfo],
    sighting_context: SightingContext,
    user: str,
    probes: list[Probe],
) -> list[ClientFacts]:
    """Read agent configurations, grouped by client and folder."""
    groups: dict[tuple[str, tuple[str, ...]], list[ConfigDocument]] = {}
    for path, entry in project_paths.configs:
        data = folder.read(path)
        if data is None:
            continue
        place = folder.printable_absolute_path(path)
        base = project_paths.innermost_project(path)
        inside = config_base_folder(path.removeprefix(base).lstrip("/"), entry)
        name = projects[base].name
        parts = (name, inside) if inside else (name,)
        documents = parse_config_document(
            entry, data, place, sighting_context.written_by, folder.problems
        )
        if documents:
            groups.setdefault((entry.client, parts), []).extend(documents)
    above: dict[str, list[ConfigDocument]] = {}
    if user:
        names = {client for client, _ in groups}
        for document in read_user_settings(
            user, names, sighting_context.written_by, folder.problems, probes
        ):
            above.setdefault(document.entry.client, []).append(document)
    return [
        build_client_facts(
            client,
            parts,
            [*files, *above.get(client, ())],
            sighting_context,
            folder.read_env_file,
            folder.read_named_file,
        )
        for (client, parts), files in groups.items()
    ]


def _read_env_files(
    folder: BoundedFolder,
    project_paths: ProjectPaths,
    sighting_context: SightingContext,
) -> EnvFileFacts:
    """Read `.env` files, which any agent in the project can read."""
    facts = EnvFileFacts()
    for path in project_paths.env_files:
        read = folder.read_env_file(
            folder.printable_absolute_path(path), path.rpartition("/")[2]
        )
        if read is not None:
            facts.add_file(read, sighting_context)
    return facts


def _read_workflows(
    folder: BoundedFolder,
    project_paths: ProjectPaths,
    projects: dict[str, _ProjectInfo],
    sighting_context: SightingContext,
) -> WorkflowJobFacts:
    """Read the workflows, and build the facts of their agent jobs."""
    out = WorkflowJobFacts()
    stated: dict[tuple[str, str], list[Workflow]] = {}
    for path in project_paths.workflows:
        data = folder.read(path)
        if data is None:
            continue
        place = folder.printable_absolute_path(path)
        base = project_paths.innermost_project(path)
        project = projects[base]
        inside = path.removeprefix(base).lstrip("/")
        identity = ""
        try:
            root = parse_document(data, DocumentFormat.YAML, place).root
            jobs = parse_workflow(root)
            # GitHub runs the workflows at the top of a repository.
            if project.remote and inside.startswith(WORKFLOW_FOLDER):
                identity = build_workflow_identity(project.remote, inside)
                stated.setdefault(project.remote, []).append(
                    parse_workflow_definition(root, inside, "", place)
                )
        except ParseError as error:
            folder.problems.append(invalid_file_problem(place, error))
            continue
        file = WorkflowFile(project.name, path.rpartition("/")[2], path, identity)
        for job in jobs:
            add_job_facts(job, file, place, sighting_context, out)
    seen = sighting_context.get_provenance(printable_path(folder.root))
    out.catalogues += (
        build_workflow_catalogue(remote, workflows, seen)
        for remote, workflows in stated.items()
    )
    return out


def _read_owners(
    folder: BoundedFolder,
    project_paths: ProjectPaths,
    projects: dict[str, _ProjectInfo],
    agents: list[tuple[Agent, str, WrittenBy]],
    sighting_context: SightingContext,
) -> tuple[tuple[Person, ...], tuple[OwnerEvidence, ...]]:
    """Read each project's code owners, and build evidence for its agents."""
    people: dict[str, Person] = {}
    evidence: list[OwnerEvidence] = []
    for base, project in projects.items():
        data = folder.read(project.owners_path) if project.owners_path else None
        if data is None:
            continue
        place = folder.printable_absolute_path(project.owners_path)
        try:
            owners = parse_codeowners(decode_text(data, place))
        except ParseError as error:
            folder.problems.append(invalid_file_problem(place, error))
            continue
        folder.problems += [
            ReadProblem(
                ReadProblemKind.INVALID, f"{place}#/{line}", "not a CODEOWNERS rule"
            )
            for line in owners.faults
        ]
        own = [
            (agent, path.removeprefix(base).lstrip("/"), author)
            for agent, path, author in agents
            if project_paths.innermost_project(path) == base
        ]
        named, reasons = build_code_owner_evidence(owners, own, place, sighting_context)
        people |= {person.id: person for person in named}
        evidence += reasons
    return tuple(people.values()), tuple(evidence)


def _find_code_owners_path(project_paths: ProjectPaths, base: str) -> str:
    """Return the effective code owners file: the first of three places."""
    for location in LOCATIONS:
        path = _join_path(base, location)
        if path in project_paths.owners:
            return path
    return ""


def _relative_agent_path(folder: BoundedFolder, agent: Agent) -> str:
    """Return the path of an agent's file relative to the scanned folder."""
    file = agent.place.partition("#")[0]
    return file.removeprefix(printable_path(folder.root)).lstrip("/")


def _join_path(base: str, path: str) -> str:
    """Join a folder and a path, of which either may be empty."""
    return f"{base}/{path}" if base else path
