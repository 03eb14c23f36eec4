"""List the grants of Google Cloud by which outsiders act as an identity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from answerable.model import google_cloud_ids as ids
from answerable.model.provenance import FactProvenance
from answerable.posture.facts import EntryGap, PlatformEntry
from answerable.posture.severity import Trigger
from answerable.reach.gcp.catalogue import GoogleBinding, GoogleCloudEstate
from answerable.reach.gcp.estate_index import POOLS
from answerable.services.posture.pool_provider_width import (
    REPOSITORY,
    ProviderWidth,
    describe_width,
    measure_pool_member,
)

PUBLIC, EXTERNAL, WIDE = "public-identity", "external-identity", "wide-oidc-trust"
_ANYONE = {
    ids.ALL_USERS: ("anyone", Trigger.ANONYMOUS),
    ids.ALL_AUTHENTICATED: ("everyone with a Google account", Trigger.OUTSIDER),
}
_PROJECT_MEMBERS = ("projectOwner", "projectEditor", "projectViewer")
# Roles that only show a service account.
_VIEWERS = frozenset(
    ("roles/iam.serviceAccountViewer", "roles/viewer", "roles/browser")
)
_ACCOUNTS = "/serviceAccounts/"
Estate = tuple[GoogleCloudEstate, FactProvenance]
Result = PlatformEntry | EntryGap


def list_google_entries(estates: Sequence[Estate]) -> Iterator[Result]:
    """List the grants of all scans, and those that cannot be judged."""
    owned = _OwnedNames.collect([each for each, _ in estates])
    emails = {
        each.unique_id: each.email
        for estate, _ in estates
        for each in estate.service_accounts
    }
    for estate, seen in estates:
        for policy in estate.policies:
            _, _, account = policy.resource.partition(_ACCOUNTS)
            name = emails.get(account, account)
            if not account and not ids.get_container(policy.resource)[0]:
                continue  # access to data is no identity
            for binding in policy.bindings:
                if account and binding.role in _VIEWERS:
                    continue
                grant = _GoogleGrant(
                    name or policy.resource,
                    bool(account),
                    binding,
                    seen,
                    f"allow policy of {policy.resource}",
                )
                yield from _list_public(grant)
                yield from _list_wide(grant, estates)
                if account:
                    yield from _list_external(grant, owned)


@dataclass(frozen=True, slots=True)
class _GoogleGrant:
    """Binding on a service account, project, folder or organization."""

    subject: str
    is_account: bool
    binding: GoogleBinding
    seen: FactProvenance
    place: str

    def build(
        self, rule: str, member: str, words: tuple[str, Trigger], repair: str
    ) -> PlatformEntry:
        """Build the entry of a member.

        Args:
            words: Name of the outsiders, and how they trigger it.
        """
        who, trigger = words
        binding = self.binding
        condition = " under a condition" if binding.condition else ""
        return PlatformEntry(
            rule=rule,
            platform="gcp",
            subject=self.subject,
            grantee=self.subject if self.is_account else member,
            title=f"{who} has {binding.role} on {self.subject}{condition}",
            trigger=trigger,
            statement=f"{binding.role} {member}",
            repair=repair,
            seen=self.seen,
            place=self.place,
        )


def _list_public(grant: _GoogleGrant) -> Iterator[PlatformEntry]:
    """Yield the members that are everyone."""
    for member in grant.binding.members:
        if member in _ANYONE:
            who, trigger = _ANYONE[member]
            if grant.binding.condition:
                trigger = Trigger.OUTSIDER
            repair = f"Remove {member} from {grant.binding.role}, and name the members."
            yield grant.build(PUBLIC, member, (f"{who} ({member})", trigger), repair)


@dataclass(frozen=True, slots=True)
class _OwnedNames:
    """Projects and domains of the scanned organizations.

    Attributes:
        projects: Ids and numbers.
        domains: Empty if no organization was collected.
    """

    projects: frozenset[str]
    domains: frozenset[str]

    @classmethod
    def collect(cls, estates: Sequence[GoogleCloudEstate]) -> "_OwnedNames":
        """Collect the names."""
        resources = [each for estate in estates for each in estate.resources]
        projects = {each.number for each in resources if each.number}
        for each in resources:
            kind, name = ids.get_container(each.name)
            if kind == "projects":
                projects.add(name)
        for estate in estates:
            projects |= {each.project for each in estate.service_accounts}
        domains = {each.domain for each in resources if each.domain}
        return cls(frozenset(projects), frozenset(domains))

    def is_outside(self, member: str) -> bool | None:
        """Return whether a member is of another organization; None if not known."""
        kind, _, name = member.partition(":")
        if kind in _PROJECT_MEMBERS:
            return name not in self.projects
        if ids.is_service_account(member):
            return self._get_project(member) not in self.projects
        if not self.domains:
            return None
        return name.rpartition("@")[2] not in self.domains

    def _get_project(self, account: str) -> str:
        """Return the project of a service account, also of a service agent."""
        project = ids.get_project_of_service_account(account)
        number = account.partition("@")[0].removeprefix("service-")
        return project or number


def _list_external(grant: _GoogleGrant, owned: _OwnedNames) -> Iterator[Result]:
    """Yield the members of other organizations on a service account."""
    for member in grant.binding.members:
        if member in _ANYONE or ids.split_pool_principal(member)[0]:
            continue
        if member.endswith("]"):
            continue  # a Kubernetes service account of a cluster in its project
        outside = owned.is_outside(member)
        if outside is None:
            yield EntryGap(
                EXTERNAL,
                "gcp",
                grant.subject,
                f"the organization of the project, to judge {member}",
                "gcp:DIR",
            )
        elif outside:
            trigger = Trigger.INSIDER if grant.binding.condition else Trigger.OUTSIDER
            repair = f"Remove {member} from {grant.binding.role}."
            yield grant.build(
                EXTERNAL, member, (f"the outsider {member}", trigger), repair
            )


def _list_wide(grant: _GoogleGrant, estates: Sequence[Estate]) -> Iterator[Result]:
    """Yield the members of identity pools that admit too many workflows."""
    for member in grant.binding.members:
        pool, part = ids.split_pool_principal(member)
        if not pool or part.startswith("subject/"):
            continue
        collected = any(POOLS in estate.collected for estate, _ in estates)
        widths = [
            measure_pool_member(provider, part)
            for estate, _ in estates
            for provider in estate.providers
            if provider.pool == pool
            and not provider.disabled
            and pool not in estate.disabled_pools
        ]
        if not collected:
            missing = f"the providers of {pool}"
            yield EntryGap(WIDE, "gcp", grant.subject, missing, "gcp:DIR")
        yield from _list_widths(grant, member, widths)


def _list_widths(
    grant: _GoogleGrant, member: str, widths: Sequence[ProviderWidth]
) -> Iterator[Result]:
    """Yield the providers through which too many workflows enter."""
    for each in widths:
        if each.width is None:
            missing = f"the meaning of the attributes or condition of {each.provider}"
            yield EntryGap(WIDE, "gcp", grant.subject, missing)
        elif each.width >= REPOSITORY:
            repair = (
                "Name one repository and one branch in the attribute condition of "
                f"{each.provider}: `assertion.repository == 'OWNER/NAME' && "
                "assertion.ref == 'refs/heads/main'`."
            )
            words = describe_width(each)
            yield grant.build(WIDE, member, words, repair)
