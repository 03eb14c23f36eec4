"""Build inventory facts of workflow jobs that run an AI agent."""

from dataclasses import dataclass, field, replace

from answerable.connectors.formats.agent_config import convert_arns_to_identity_ids
from answerable.connectors.formats.credential_locations import FoundCredential
from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    build_credential,
    build_identity_link,
    join_file_and_pointer,
)
from answerable.connectors.formats.redaction import make_printable_line, redact_name
from answerable.connectors.formats.tool_rules import (
    RuledBuiltInTool,
    build_built_in_tool,
    list_built_in_tools,
)
from answerable.connectors.repo.parse.github_workflow import AgentJob
from answerable.connectors.repo.parse.workflow_step_rules import read_step_settings
from answerable.model.agent import (
    NO_ACTIONS,
    UNPINNED_ACTIONS,
    UNPINNED_PACKAGES,
    Agent,
    FactStatus,
)
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLifetime,
    CredentialLink,
)
from answerable.model.identity import Identity
from answerable.model.ids import (
    CredentialId,
    IdentityId,
    build_agent_id,
    build_mcp_tool_id,
)
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import WrittenBy
from answerable.model.tool import Tool

_LIFETIMES = {
    "github-oidc": CredentialLifetime.FEDERATED,
    "github-token": CredentialLifetime.SHORT_LIVED,
}


@dataclass(slots=True)
class WorkflowJobFacts:
    """Combined sightings of a project's workflows.

    Attributes:
        agents: One per job that runs an agent, with its path and whether it could have
            written the project's owner data.
        tools: Servers given inline.
        credentials: Secrets, tokens and roles.
        links: Links from OIDC tokens to the identities they are exchanged for, and from
            connection strings to their roles.
        identities: Google Cloud identities and database roles that jobs sign in as.
        catalogues: What the files state about each repository on GitHub.
    """

    agents: list[tuple[Agent, str, WrittenBy]] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    links: list[CredentialLink] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    catalogues: list[PlatformCatalogue] = field(default_factory=list)

    def add_login(self, found: FoundCredential, credential: Credential) -> None:
        """Add the identity that a connection string names, and the link to it."""
        if (linked := build_identity_link(found, credential)) is not None:
            self.links.append(linked[0])
            self.identities.append(linked[1])


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """Workflow file of a project.

    Attributes:
        project: Name of the project, for ids.
        name: Name of the file.
        path: Path below the scanned folder.
        identity: Id of the workflow with its GITHUB_TOKEN; empty where not on GitHub.
    """

    project: str
    name: str
    path: str
    identity: str = ""


def add_job_facts(
    job: AgentJob,
    file: WorkflowFile,
    place: str,
    context: SightingContext,
    sightings: WorkflowJobFacts,
) -> None:
    """Add the inventory facts of one job: agents, tools and credentials.

    Args:
        job: Parsed job.
        file: File with the job.
        place: Absolute path of the workflow.
        context: Context shared by all sightings.
        sightings: Target of the sightings.
    """
    name = redact_name(job.job)
    id_parts = (file.project, file.name)
    this = build_agent_id("github-actions", *map(redact_name, id_parts), name)
    scope = f"github-actions:{'/'.join((*map(redact_name, id_parts), name))}"
    job_place = join_file_and_pointer(place, job.pointer)
    agent = Agent(
        id=this,
        kind="github-actions",
        name=name,
        place=job_place,
        scope=scope,
        parent=None,
        unattended=True,
        known=FactStatus.DECLARED,
        runs_as=convert_arns_to_identity_ids(
            *job.roles,
            *(each.id for each in job.google),
            *((file.identity,) if file.identity else ()),
        ),
        note="",
        facts=_list_job_facts(job),
        seen=context.get_provenance(job_place),
    )
    # A read-only token cannot change the file that names the owners.
    author = WrittenBy.SELF_REPORTED if job.may_write_contents else WrittenBy.PLATFORM
    sightings.agents.append((agent, file.path, author))
    sightings.identities += [
        each.to_identity(context.get_provenance(job_place)) for each in job.google
    ]
    variables: dict[CredentialId, None] = {}
    for found in job.found:
        ambient = found.cls is CredentialClass.AMBIENT and found.kind != "dsn"
        # The token of each job is its own; a secret is the same in every job.
        own = ambient and found.kind == "github-token"
        named = replace(found, value=f"{scope}:{found.value}") if own else found
        credential = build_credential(named, place, context)
        lifetime = _LIFETIMES.get(found.kind) if ambient else None
        sightings.credentials.append(
            replace(credential, scope=scope, lifetime=lifetime or credential.lifetime)
        )
        sightings.add_login(found, credential)
        if not ambient and found.pointer.startswith(_list_env_block_pointers(job)):
            variables[credential.id] = None
        arn = found.value.partition(":")[2]
        if found.kind == "github-oidc" and arn:
            sightings.links.append(
                _build_federation_link(credential.id, arn, credential.place, context)
            )
    for server in job.servers:
        sighted = [(f, build_credential(f, place, context)) for f in server.found]
        sightings.credentials += [replace(item, scope=scope) for _, item in sighted]
        for each, credential in sighted:
            sightings.add_login(each, credential)
        stated = [item for f, item in sighted if f.pointer not in server.withheld]
        server_name = redact_name(server.name)
        sightings.tools.append(
            Tool(
                id=build_mcp_tool_id(server_name),
                agent=this,
                server=server_name,
                transport=server.transport,
                target=server.target,
                enabled=server.enabled,
                unattended=True,
                credentials=tuple(dict.fromkeys(item.id for item in stated)),
                seen=context.get_provenance(
                    join_file_and_pointer(place, server.pointer)
                ),
            )
        )

    for client in job.clients:
        seen = context.get_provenance(job_place)
        sightings.tools += [
            build_built_in_tool(tool, client, this, tuple(variables), seen)
            for tool in _list_built_in_tools(job, client)
        ]


def _list_env_block_pointers(job: AgentJob) -> tuple[str, ...]:
    """List JSON pointers to the `env` blocks that an agent's shell inherits."""
    steps = (f"{step.pointer}/" for _, step in job.steps)
    return ("/env/", f"{job.pointer}/env/", *steps)


def _list_built_in_tools(job: AgentJob, client: str) -> list[RuledBuiltInTool]:
    """List a client's built-in tools, with the least restricted rule of all steps."""
    found: dict[str, RuledBuiltInTool] = {}
    for runs, step in job.steps:
        if runs != client:
            continue
        for tool in list_built_in_tools(
            client, read_step_settings(client, step), unattended=True
        ):
            known = found.get(tool.name)
            if known is None or (known.rule and not tool.rule):
                found[tool.name] = tool
    return list(found.values())


def _build_federation_link(
    credential: CredentialId, arn: str, place: str, context: SightingContext
) -> CredentialLink:
    """Build the link from a workflow's OIDC token to the role it assumes."""
    return CredentialLink(
        credential, IdentityId(arn), "federated-trust", context.get_provenance(place)
    )


def _list_job_facts(job: AgentJob) -> tuple[tuple[str, str], ...]:
    """Return the facts of a job: clients, events and permissions."""
    permissions = ", ".join(f"{scope}: {access}" for scope, access in job.permissions)
    facts = [
        ("client", ", ".join(job.clients)),
        ("events", make_printable_line(", ".join(job.events) or "-")),
        ("outsider-events", ", ".join(job.outsider_events)),
        ("permissions", make_printable_line(permissions or "not stated")),
        ("id-token", "write" if job.id_token else ""),
        (UNPINNED_ACTIONS, ", ".join(job.unpinned) or NO_ACTIONS),
        (UNPINNED_PACKAGES, ", ".join(job.packages) or NO_ACTIONS),
    ]
    return tuple(sorted((name, value) for name, value in facts if value))
