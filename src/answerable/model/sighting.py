"""Types of one sync: the facts a connector saw and the problems it had."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from answerable.model.agent import Agent
from answerable.model.coverage import CoverageScope
from answerable.model.coverage import ReadProblem as ReadProblem
from answerable.model.coverage import ReadProblemKind as ReadProblemKind
from answerable.model.credential import Credential, CredentialLink
from answerable.model.identity import Account, Identity
from answerable.model.person import OwnerEvidence, Person
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.policy import Policy, PolicyAttachment
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.model.role_assignment import RoleAssignment
from answerable.model.tool import Tool
from answerable.model.user_group import UserGroup


@dataclass(frozen=True, slots=True)
class SightedFacts:
    """Sighted facts by type. Every fact carries its provenance in `seen`."""

    persons: tuple[Person, ...] = ()
    agents: tuple[Agent, ...] = ()
    tools: tuple[Tool, ...] = ()
    credentials: tuple[Credential, ...] = ()
    links: tuple[CredentialLink, ...] = ()
    identities: tuple[Identity, ...] = ()
    accounts: tuple[Account, ...] = ()
    policies: tuple[Policy, ...] = ()
    attachments: tuple[PolicyAttachment, ...] = ()
    resources: tuple[Resource, ...] = ()
    public_access: tuple[PublicAccessBlock, ...] = ()
    evidence: tuple[OwnerEvidence, ...] = ()
    assignments: tuple[RoleAssignment, ...] = ()
    groups: tuple[UserGroup, ...] = ()
    catalogues: tuple[PlatformCatalogue, ...] = ()

    def iterate(self, name: str) -> Iterator[object]:
        """Yield the facts of one kind, in their order; a stored one is not kept.

        Args:
            name: Name of the field.
        """
        return iter(getattr(self, name))

    def iterate_identities(self) -> Iterator[Identity]:
        """Yield the identities; a stored one is not kept."""
        return cast("Iterator[Identity]", self.iterate("identities"))

    def iterate_policies(self) -> Iterator[Policy]:
        """Yield the policies; a stored one is not kept."""
        return cast("Iterator[Policy]", self.iterate("policies"))

    def is_one_part(self) -> bool:
        """Return whether the facts are few enough to be read together."""
        return True

    def iterate_parts(self) -> "Iterator[SightedFacts]":
        """Yield the facts in parts of neighbouring accounts; here all are one part."""
        yield self

    def attachments_by_target(self) -> Mapping[str, Sequence[PolicyAttachment]]:
        """Return the attached policies of each target."""
        found: dict[str, list[PolicyAttachment]] = {}
        for each in self.attachments:
            found.setdefault(each.target, []).append(each)
        return found

    def policies_by_id(self) -> Mapping[str, Policy]:
        """Return the policies of a scan by id."""
        return {str(each.id): each for each in self.policies}

    def has_policies(self) -> bool:
        """Return whether a source collected any policy."""
        return bool(self.policies)

    def identities_by_id(self) -> Mapping[str, Identity]:
        """Return the identities by id."""
        return {str(each.id): each for each in self.identities}

    def resources_by_id(self) -> Mapping[str, Resource]:
        """Return the resources by id."""
        return {str(each.id): each for each in self.resources}

    def list_catalogue_platforms(self) -> Sequence[str]:
        """List the platforms whose permission catalogues a source collected."""
        return [each.platform for each in self.catalogues]

    def select_catalogues(self, platform: str) -> Sequence[PlatformCatalogue]:
        """Select the catalogues of a platform."""
        return [each for each in self.catalogues if each.platform == platform]


@dataclass(frozen=True, slots=True)
class Probe:
    """Place that a sync reads or would read.

    Attributes:
        place: Path, pattern or API call.
        what: Expected content.
        found: True when it exists, False when not, None when not checked yet.
    """

    place: str
    what: str
    found: bool | None


@dataclass(frozen=True, slots=True)
class Sync:
    """Execution of one connector against one location.

    Attributes:
        source: `NAME:LOCATION`, as the user would name it again.
        connector: Connector name.
        started_at: UTC nanoseconds.
        probes: Places that it checked.
        problems: Unread parts.
        collected: Policy and fact kinds this sync covers (`identity-policies`,
            `boundaries`, `access-keys`, `scp`, ...), the words of coverage records.
        not_collected: Kinds that could exist there and were not requested.
        held: Places where kinds were collected completely, as far as known.
    """

    source: str
    connector: str
    started_at: int
    facts: SightedFacts = field(default_factory=SightedFacts)
    probes: tuple[Probe, ...] = ()
    problems: tuple[ReadProblem, ...] = ()
    collected: tuple[str, ...] = ()
    not_collected: tuple[str, ...] = ()
    held: tuple[CoverageScope, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Full set of facts: the latest sync of every source, newest scan last.

    Attributes:
        taken_at: UTC nanoseconds.
        syncs: Pairs (source, object digest of its sync), sorted by source.
    """

    taken_at: int
    syncs: tuple[tuple[str, str], ...]
