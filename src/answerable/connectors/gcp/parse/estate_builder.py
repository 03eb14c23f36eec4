"""Collect the parts of a Google Cloud estate from responses of any kind."""

from dataclasses import dataclass, field

from answerable.model.google_cloud_ids import expand_resource_name
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.reach.gcp.catalogue import (
    GoogleAccessBoundary,
    GoogleAllowPolicy,
    GoogleBoundaryBinding,
    GoogleCloudEstate,
    GoogleConstraint,
    GoogleDenyPolicy,
    GoogleGroup,
    GooglePoolProvider,
    GoogleResource,
    GoogleRole,
    GoogleServiceAccount,
    GoogleTag,
)

MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class ServiceAccountKey:
    """Key of a service account, without its value."""

    email: str
    key: str
    created: str
    expires: str
    disabled: bool
    place: str


@dataclass(frozen=True, slots=True)
class ReasoningEngine:
    """Agent of Vertex AI Agent Engine.

    Attributes:
        runs_as: Service account or agent identity; empty if it is not stated.
        has_own_identity: Whether it acts by an agent identity of its own.
    """

    name: str
    display_name: str
    runs_as: str
    project: str
    place: str
    has_own_identity: bool = False


@dataclass(frozen=True, slots=True)
class GeminiAgent:
    """Agent that a Gemini Enterprise app offers.

    Attributes:
        name: `projects/P/locations/L/collections/C/engines/E/assistants/A/agents/ID`.
        form: Field that defines it: `adkAgentDefinition`, `a2aAgentDefinition`, ...
        engine: Reasoning engine that runs it; empty for an agent of another form.
        disabled: Whether the app does not offer it.
    """

    name: str
    display_name: str
    form: str
    engine: str
    disabled: bool
    place: str


@dataclass(slots=True)
class EstateBuilder:
    """Estate under construction.

    Attributes:
        collected: Kinds that a file names or has.
        recognised: Number of objects that were read.
        faults: Number of parts that were not read.
        unread: Whether a part was not understood.
        tag_values: Namespaced name of each tag value, by its id.
    """

    collected: set[str] = field(default_factory=set)
    recognised: int = 0
    resources: dict[str, GoogleResource] = field(default_factory=dict)
    policies: list[GoogleAllowPolicy] = field(default_factory=list)
    roles: dict[str, GoogleRole] = field(default_factory=dict)
    deny_policies: dict[str, GoogleDenyPolicy] = field(default_factory=dict)
    boundaries: dict[str, GoogleAccessBoundary] = field(default_factory=dict)
    boundary_bindings: list[GoogleBoundaryBinding] = field(default_factory=list)
    groups: list[GoogleGroup] = field(default_factory=list)
    accounts: dict[str, GoogleServiceAccount] = field(default_factory=dict)
    keys: list[ServiceAccountKey] = field(default_factory=list)
    engines: list[ReasoningEngine] = field(default_factory=list)
    gemini_agents: dict[str, GeminiAgent] = field(default_factory=dict)
    providers: dict[str, GooglePoolProvider] = field(default_factory=dict)
    disabled_pools: list[str] = field(default_factory=list)
    tags: list[GoogleTag] = field(default_factory=list)
    tag_values: dict[str, str] = field(default_factory=dict)
    constraints: list[GoogleConstraint] = field(default_factory=list)
    problems: list[ReadProblem] = field(default_factory=list)
    faults: int = 0
    unread: bool = False

    def add_problem(
        self,
        place: str,
        what: str,
        kind: ReadProblemKind = ReadProblemKind.INVALID,
    ) -> None:
        """Add a part that was not read; the list is bounded."""
        self.faults += 1
        self.unread = self.unread or kind is ReadProblemKind.INVALID
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(ReadProblem(kind, place, what))

    def add_resource(self, resource: GoogleResource) -> None:
        """Add a resource, or more data on a known one."""
        known = self.resources.get(resource.name)
        if known is None:
            self.resources[resource.name] = resource
            return
        self.resources[resource.name] = GoogleResource(
            resource.name,
            kind=resource.kind or known.kind,
            parent=resource.parent or known.parent,
            number=resource.number or known.number,
            domain=resource.domain or known.domain,
            customer=resource.customer or known.customer,
            runs_as=tuple(dict.fromkeys((*known.runs_as, *resource.runs_as))),
            is_root=resource.is_root or known.is_root,
        )

    def add_ancestors(self, name: str, ancestors: tuple[str, ...]) -> None:
        """Add the ancestors of a resource, the nearest first: `projects/1`, ..."""
        chain = [expand_resource_name(each) for each in ancestors]
        if chain and chain[0] == name:
            chain = chain[1:]
        for each, parent in zip((name, *chain), chain, strict=False):
            known = self.resources.get(each)
            if known is None or not known.parent:
                self.add_resource(GoogleResource(each, parent=parent))

    def build(self, name: str, now: int) -> GoogleCloudEstate:
        """Build the estate; with a tag that has no name, tags are not collected."""
        tags = tuple(map(self._name_tag, self.tags))
        if not all(each.key for each in tags):
            self.collected.discard("tags")
        return GoogleCloudEstate(
            name,
            collected=tuple(sorted(self.collected)),
            seen_at=now,
            unread=self.unread,
            resources=tuple(self.resources.values()),
            policies=tuple(self.policies),
            roles=tuple(self.roles.values()),
            deny_policies=tuple(self.deny_policies.values()),
            boundaries=tuple(self.boundaries.values()),
            boundary_bindings=tuple(self.boundary_bindings),
            groups=tuple(self.groups),
            service_accounts=tuple(self.accounts.values()),
            providers=tuple(self.providers.values()),
            disabled_pools=tuple(self.disabled_pools),
            tags=tuple(each for each in tags if each.key),
            constraints=tuple(self.constraints),
        )

    def _name_tag(self, tag: GoogleTag) -> GoogleTag:
        """Return a tag with the key of its value, if a scan named it."""
        key, _, value = self.tag_values.get(tag.value_id, "").rpartition("/")
        return GoogleTag(tag.resource, key, value, tag.value_id) if key else tag
