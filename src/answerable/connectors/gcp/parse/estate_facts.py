"""Build inventory facts from an estate: identities, keys, agents and their links."""

from collections.abc import Iterable
from dataclasses import dataclass

from answerable.connectors.formats.aws_api_responses import parse_timestamp_ns
from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.gcp.parse.estate_builder import (
    EstateBuilder,
    GeminiAgent,
    ReasoningEngine,
    ServiceAccountKey,
)
from answerable.model.agent import Agent, FactStatus
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLifetime,
    CredentialLink,
)
from answerable.model.google_cloud_ids import (
    GROUP,
    USER,
    get_project_of_service_account,
    is_principal,
    is_service_account,
    split_pool_principal,
)
from answerable.model.identity import Identity
from answerable.model.ids import CredentialId, IdentityId, build_agent_id
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.reach.gcp.catalogue import GoogleCloudEstate

AGENT_KIND = "vertex-agent-engine"
GEMINI_KIND = "gemini-enterprise"
# Key that never expires: https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys
_NO_EXPIRY = "9999"
_CONVENIENCE = ("projectOwner:", "projectEditor:", "projectViewer:")


@dataclass(frozen=True, slots=True)
class EstateFacts:
    """Facts of an estate.

    Attributes:
        source: The sync's source.
        place: First file.
    """

    estate: GoogleCloudEstate
    builder: EstateBuilder
    source: str
    place: str
    now: int

    def get_provenance(self, place: str = "") -> FactProvenance:
        """Return the provenance of a fact."""
        return FactProvenance(
            self.source, place or self.place, WrittenBy.PLATFORM, self.now
        )

    def build_identities(self) -> tuple[Identity, ...]:
        """Build the identities that lists, policies and groups name."""
        named: dict[str, None] = dict.fromkeys(self.builder.accounts)
        named |= dict.fromkeys(self._list_members())
        named |= dict.fromkeys(each.email for each in self.builder.keys)
        return tuple(
            self._build_identity(each)
            for each in named
            if is_principal(each) and not each.startswith(_CONVENIENCE)
        )

    def _list_members(self) -> Iterable[str]:
        """Yield the principals of policies and groups."""
        for policy in self.estate.policies:
            for binding in policy.bindings:
                yield from binding.members
        for group in self.estate.groups:
            yield group.name
            yield from group.members
        for engine in self.builder.engines:
            yield self._get_engine_identity(engine)

    def _build_identity(self, principal: str) -> Identity:
        """Build one identity."""
        account = self.builder.accounts.get(principal)
        kind, name, project = _describe_principal(principal)
        return Identity(
            id=IdentityId(principal),
            kind=kind,
            name=redact_name(name),
            account=account.project if account else project,
            unique_id=account.unique_id if account else "",
            tags=(),
            created_at=0,
            last_used_at=0,
            seen=self.get_provenance(account.place if account else ""),
        )

    def build_keys(self) -> tuple[tuple[Credential, ...], tuple[CredentialLink, ...]]:
        """Build the keys of service accounts, each with its account."""
        credentials = tuple(self._build_key(each) for each in self.builder.keys)
        links = tuple(
            CredentialLink(
                _build_key_id(each),
                IdentityId(each.email),
                "list-keys",
                self.get_provenance(each.place),
            )
            for each in self.builder.keys
        )
        return credentials, links

    def _build_key(self, key: ServiceAccountKey) -> Credential:
        """Build one key."""
        expires = key.expires if not key.expires.startswith(_NO_EXPIRY) else ""
        return Credential(
            id=_build_key_id(key),
            kind="gcp-service-account-key",
            cls=CredentialClass.RECORD,
            lifetime=CredentialLifetime.STATIC,
            name=key.email,
            place=key.place,
            scope="",
            hint="",
            account=get_project_of_service_account(key.email),
            status="inactive" if key.disabled else "active",
            created_at=parse_timestamp_ns(key.created or 0),
            expires_at=parse_timestamp_ns(expires or 0),
            last_used_at=0,
            seen=self.get_provenance(key.place),
        )

    def build_agents(self) -> tuple[Agent, ...]:
        """Build the agents of Vertex AI Agent Engine and of Gemini Enterprise."""
        return (
            *(self._build_agent(each) for each in self.builder.engines),
            *map(self._build_gemini_agent, self.builder.gemini_agents.values()),
        )

    def _build_gemini_agent(self, agent: GeminiAgent) -> Agent:
        """Build an agent of Gemini Enterprise; one of ADK acts as its engine does.

        Agents of other forms act as the person that talks to them, or elsewhere.
        Source: https://docs.cloud.google.com/gemini/enterprise/docs/agents-overview,
        https://docs.cloud.google.com/gemini/enterprise/docs/register-and-manage-an-adk-agent
        """
        path = agent.name.partition("projects/")[2].split("/")
        project = self._get_project_id(path[0])
        identity, note = (
            "",
            "acts as the person that uses it, or as an identity that was not collected",
        )
        if agent.engine:
            runs = self._find_engine(agent.engine)
            identity = self._get_engine_identity(runs) if runs else ""
            note = "" if identity else f"{agent.engine} was not collected"
        if agent.disabled:
            note = f"disabled; {note}" if note else "disabled"
        return Agent(
            id=build_agent_id(GEMINI_KIND, project, path[-1]),
            kind=GEMINI_KIND,
            name=redact_name(agent.display_name),
            place=agent.name,
            scope="",
            parent=None,
            unattended=False,
            known=FactStatus.OBSERVED,
            runs_as=(IdentityId(identity),) if identity else (),
            note=redact_name(note),
            facts=(),
            seen=self.get_provenance(agent.place),
        )

    def _find_engine(self, name: str) -> ReasoningEngine | None:
        """Find a reasoning engine by its name, with a project id or number."""
        wanted = self._split_engine(name)
        return next(
            (e for e in self.builder.engines if self._split_engine(e.name) == wanted),
            None,
        )

    def _split_engine(self, name: str) -> tuple[str, str]:
        """Return the project id and the rest of the name of a reasoning engine."""
        project, _, rest = name.partition("projects/")[2].partition("/")
        return self._get_project_id(project), rest

    def _get_project_id(self, project: str) -> str:
        """Return the id of a project for its id or number."""
        if not project.isdigit():
            return project
        known = (e for e in self.builder.resources.values() if e.number == project)
        found = next(known, None)
        return found.name.rpartition("/")[2] if found else project

    def _build_agent(self, engine: ReasoningEngine) -> Agent:
        """Build one agent."""
        path = engine.name.partition("/projects/")[2].split("/")
        identity = self._get_engine_identity(engine)
        return Agent(
            id=build_agent_id(AGENT_KIND, path[0], path[-1]),
            kind=AGENT_KIND,
            name=redact_name(engine.display_name),
            place=engine.name,
            scope="",
            parent=None,
            unattended=True,
            known=FactStatus.OBSERVED,
            runs_as=(IdentityId(identity),) if identity else (),
            note="",
            facts=(),
            seen=self.get_provenance(engine.place),
        )

    def _get_engine_identity(self, engine: ReasoningEngine) -> str:
        """Return the identity of an agent: its own, or the project's service agent.

        Source: https://docs.cloud.google.com/agent-builder/agent-engine/agent-identity and
        https://docs.cloud.google.com/agent-builder/agent-engine/set-up, "Identity and
        permissions".
        """
        if engine.runs_as:
            return engine.runs_as
        number = self._get_project_number(engine.project)
        if not number:
            return ""
        if engine.has_own_identity:
            kind, _, name = self.estate.name.partition("/")
            holder = f"org-{name}" if kind == "organizations" else f"proj-{number}"
            path = engine.name.partition("/projects/")[2].partition("/")[2]
            return (
                f"principal://agents.global.{holder}.system.id.goog/resources/aiplatform"
                f"/projects/{number}/{path}"
            )
        return f"service-{number}@gcp-sa-aiplatform-re.iam.gserviceaccount.com"

    def _get_project_number(self, project: str) -> str:
        """Return the number of a project; empty if it is not known."""
        if project.isdigit():
            return project
        name = f"//cloudresourcemanager.googleapis.com/projects/{project}"
        known = self.builder.resources.get(name)
        return known.number if known else ""


def _build_key_id(key: ServiceAccountKey) -> CredentialId:
    """Build the id of a key: `cred:gcp/KEY_ID`."""
    return CredentialId(f"cred:gcp/{key.key}")


def _describe_principal(principal: str) -> tuple[str, str, str]:
    """Return the kind, the short name and the project of a principal."""
    if is_service_account(principal):
        name = principal.partition("@")[0]
        project = get_project_of_service_account(principal)
        return "gcp-service-account", name, project
    for prefix, kind in ((USER, "gcp-user"), (GROUP, "gcp-group")):
        if principal.startswith(prefix):
            return kind, principal.removeprefix(prefix), ""
    pool, part = split_pool_principal(principal)
    if pool:
        project = pool.split("/")[1] if pool.startswith("projects/") else ""
        return "gcp-pool-principal", part, project
    if principal.startswith("serviceAccount:"):
        return "gcp-pool-principal", principal.partition(":")[2], ""
    if principal.startswith("principal://agents."):
        return "gcp-agent-identity", principal.rpartition("/")[2], ""
    return "gcp-principal-set", principal, ""
