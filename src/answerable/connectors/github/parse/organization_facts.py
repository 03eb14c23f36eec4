"""Build inventory facts of an organization: identities, credentials, agents, owners."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from answerable.connectors.github.parse.agent_apps import AGENT_APPS
from answerable.connectors.github.parse.organization_builder import OrganizationBuilder
from answerable.model.agent import Agent, FactStatus
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLifetime,
    CredentialLink,
)
from answerable.model.errors import IdError
from answerable.model.github_ids import GitHubSubject
from answerable.model.identity import Identity
from answerable.model.ids import (
    CredentialId,
    IdentityId,
    build_agent_id,
    build_person_id,
)
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, Person
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts
from answerable.reach.github.catalogue import (
    AccessToken,
    AppInstallation,
    DeployKey,
    GithubOrganization,
    Repository,
)

_GITHUB_HOST = "github.com"


@dataclass(slots=True)
class OrganizationFacts:
    """Facts of one organization."""

    organization: GithubOrganization
    builder: OrganizationBuilder
    source: str
    now: int
    identities: dict[str, Identity] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)
    links: dict[CredentialLink, None] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    persons: dict[str, Person] = field(default_factory=dict)
    evidence: list[OwnerEvidence] = field(default_factory=list)

    def build(self, catalogue: PlatformCatalogue) -> SightedFacts:
        """Build every fact."""
        for login, number, email, place in self._iter_users():
            self._add_user(login, number, email, place)
        for team in self.organization.teams or ():
            seen = self.get_provenance(team.place)
            self._add_identity("team", team.slug, seen)
        for installation in self.organization.installations or ():
            self._add_installation(installation)
        for token in self.organization.tokens or ():
            self._add_token(token)
        for secret in self.organization.secrets or ():
            self._add_secret((secret.name,), secret.name, secret.place)
        for repository in self.organization.repositories or ():
            self._add_repository(repository)
        return SightedFacts(
            persons=tuple(self.persons.values()),
            agents=tuple(self.agents.values()),
            credentials=tuple(self.credentials.values()),
            links=tuple(self.links),
            identities=tuple(self.identities.values()),
            evidence=tuple(self.evidence),
            catalogues=(catalogue,),
        )

    def get_provenance(self, place: str) -> FactProvenance:
        """Return the provenance of a fact of the platform."""
        return FactProvenance(self.source, place, WrittenBy.PLATFORM, self.now)

    def _iter_users(self) -> Iterator[tuple[str, int, str, str]]:
        """Yield each user once: login, id, e-mail address and place."""
        for each in self.organization.members or ():
            yield each.login, each.id, each.email, each.place
        for login, (number, place) in self.builder.users.items():
            yield login, number, "", place

    def _add_user(self, login: str, number: int, email: str, place: str) -> None:
        """Add a user as an identity, and as the person who uses it."""
        seen = self.get_provenance(place)
        self._add_identity("user", login, seen, unique_id=str(number or ""))
        self._add_person(login, seen, (email.lower(),) if email else ())

    def _add_person(
        self, login: str, seen: FactProvenance, aliases: tuple[str, ...] = ()
    ) -> None:
        """Add the person behind a login."""
        person = build_person_id(login)
        if person not in self.persons:
            self.persons[person] = Person(
                person, "", aliases, team=False, alive=True, seen=seen
            )

    def _build_subject(
        self, kind: str, name: str, repository: str = ""
    ) -> GitHubSubject:
        """Build the id of an identity of the organization, a user or an app."""
        host = self.organization.host
        return GitHubSubject(
            kind,
            name,
            "" if kind in ("user", "app") else self.organization.login,
            repository,
            "" if host == _GITHUB_HOST else host,
        )

    def _add_identity(
        self,
        kind: str,
        name: str,
        seen: FactProvenance,
        repository: str = "",
        unique_id: str = "",
        created_at: int = 0,
        last_used_at: int = 0,
        label: str = "",
    ) -> IdentityId:
        """Add an identity unless it is known; return its id."""
        key = IdentityId(str(self._build_subject(kind, name, repository)))
        if key not in self.identities:
            self.identities[key] = Identity(
                id=key,
                kind=f"github-{kind}",
                name=label or name,
                account=self.organization.login,
                unique_id=unique_id,
                tags=(),
                created_at=created_at,
                last_used_at=last_used_at,
                seen=seen,
            )
        return key

    def _add_credential(
        self,
        parts: Iterable[str],
        kind: str,
        name: str,
        place: str,
        *,
        ambient: bool = False,
        status: str = "",
        times: tuple[int, int, int] = (0, 0, 0),
    ) -> CredentialId:
        """Add a credential without a value.

        Args:
            parts: Parts of its id below the organization.
            kind: Kind of credential.
            name: Name that GitHub shows.
            place: Place in the source.
            ambient: Whether it is issued to each run.
            status: `active` or `inactive`; empty where not collected.
            times: Creation, expiry and last use, UTC nanoseconds.
        """
        key = CredentialId("/".join(("cred:github", self.organization.login, *parts)))
        lifetime = CredentialLifetime.STATIC
        if ambient:
            lifetime = CredentialLifetime.SHORT_LIVED
        self.credentials[key] = Credential(
            id=key,
            kind=kind,
            cls=CredentialClass.AMBIENT if ambient else CredentialClass.RECORD,
            lifetime=lifetime,
            name=name,
            place=place,
            scope="",
            hint="",
            account=self.organization.login,
            status=status,
            created_at=times[0],
            expires_at=times[1],
            last_used_at=times[2],
            seen=self.get_provenance(place),
        )
        return key

    def _add_owner(
        self, subjects: tuple[str, ...], login: str, reference: str, place: str
    ) -> None:
        """Add the evidence that a user created or owns subjects."""
        seen = self.get_provenance(place)
        try:
            person = build_person_id(login)
        except IdError:
            return
        self._add_person(login, seen)
        self.evidence += [
            OwnerEvidence(
                subject=subject,
                person=person,
                kind=OwnerEvidenceKind.CREATOR,
                reference=reference,
                act=f"{self.source}#{subjects[0]}",
                standing=True,
                seen=seen,
            )
            for subject in subjects
        ]

    def _add_installation(self, found: AppInstallation) -> None:
        """Add an app with its installation; a known agent app is an agent."""
        seen = self.get_provenance(found.place)
        identity = self._add_identity(
            "app", found.slug, seen, unique_id=str(found.app_id or "")
        )
        credential = self._add_credential(
            ("installation", str(found.installation_id)),
            "github-app-installation",
            found.slug,
            found.place,
            status="inactive" if found.suspended else "active",
            times=(found.created_at, 0, 0),
        )
        self.links[CredentialLink(credential, identity, "installation", seen)] = None
        subjects: tuple[str, ...] = (identity, credential)
        kind = AGENT_APPS.get(found.slug)
        if kind is not None:
            agent = self._build_agent(found, kind, identity, seen)
            self.agents[agent.id] = agent
            subjects = (*subjects, agent.id)
        owner, account_type = self.builder.app_owners.get(found.slug, ("", ""))
        if owner and account_type == "User":
            self._add_owner(subjects, owner, f"owner of the app: {owner}", found.place)

    def _build_agent(
        self,
        found: AppInstallation,
        kind: str,
        identity: IdentityId,
        seen: FactProvenance,
    ) -> Agent:
        """Build the agent that an app runs in the organization."""
        permissions = ", ".join(f"{name}: {level}" for name, level in found.permissions)
        facts = (
            ("client", kind),
            ("permissions", permissions or "none"),
            ("repositories", found.selection),
        )
        return Agent(
            id=build_agent_id("github-app", self.organization.login, found.slug),
            kind="github-app",
            name=found.slug,
            place=found.place,
            scope=f"github:{self.organization.login}",
            parent=None,
            unattended=True,
            known=FactStatus.DECLARED,
            runs_as=(identity,),
            note="",
            facts=facts,
            seen=seen,
        )

    def _add_token(self, token: AccessToken) -> None:
        """Add a fine-grained token as an identity and a credential, with its owner."""
        if token.pending:
            return  # A request grants nothing; the catalogue has it.
        seen = self.get_provenance(token.place)
        identity = self._add_identity(
            "pat",
            str(token.id),
            seen,
            unique_id=str(token.token_id or ""),
            last_used_at=token.last_used_at,
            label=token.name,
        )
        credential = self._add_credential(
            ("pat", str(token.id)),
            "github-pat",
            token.name or str(token.id),
            token.place,
            status="inactive" if token.expired else "active",
            times=(0, token.expires_at, token.last_used_at),
        )
        self.links[CredentialLink(credential, identity, "fine-grained-token", seen)] = (
            None
        )
        reference = f"owner of the token: {token.owner}"
        self._add_owner((credential, identity), token.owner, reference, token.place)

    def _add_secret(self, parts: tuple[str, ...], name: str, place: str) -> None:
        """Add a secret of Actions, by name."""
        *above, last = parts
        self._add_credential((*above, "secret", last), "github-secret", name, place)

    def _add_repository(self, found: Repository) -> None:
        """Add a repository's keys, secrets and workflows."""
        repository = ("repo", found.name)
        for key in found.deploy_keys or ():
            self._add_deploy_key(found.name, key)
        for name in found.secrets or ():
            self._add_secret((*repository, name), name, found.place)
        for environment in found.environments or ():
            for name in environment.secrets or ():
                parts = (*repository, "environment", environment.name, name)
                self._add_secret(parts, name, environment.place)
        for workflow in found.workflows or ():
            seen = self.get_provenance(workflow.place)
            identity = self._add_identity(
                "workflow", workflow.path, seen, repository=found.name
            )
            token = self._add_credential(
                (*repository, "workflow", workflow.path, "token"),
                "github-token",
                "GITHUB_TOKEN",
                workflow.place,
                ambient=True,
            )
            self.links[CredentialLink(token, identity, "workflow-token", seen)] = None

    def _add_deploy_key(self, repository: str, key: DeployKey) -> None:
        """Add a deploy key as an identity and a credential, with who added it."""
        seen = self.get_provenance(key.place)
        identity = self._add_identity(
            "deploy-key",
            str(key.id),
            seen,
            repository=repository,
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            label=key.title,
        )
        credential = self._add_credential(
            ("repo", repository, "deploy-key", str(key.id)),
            "github-deploy-key",
            key.title or str(key.id),
            key.place,
            times=(key.created_at, 0, key.last_used_at),
        )
        self.links[CredentialLink(credential, identity, "deploy-key", seen)] = None
        if key.added_by:
            reference = f"added by {key.added_by}"
            self._add_owner((credential, identity), key.added_by, reference, key.place)
