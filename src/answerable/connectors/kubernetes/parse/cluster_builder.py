"""Collect the objects of one cluster while its files or API responses are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.formats.secret_formats import classify_secret_format
from answerable.connectors.kubernetes.kinds import ObjectKind, find_kind
from answerable.connectors.kubernetes.parse.object_fields import ObjectMetadata
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.reach.kubernetes.catalogue import (
    AccessEntry,
    Cluster,
    ClusterNamespace,
    ClusterNode,
    Labels,
    PodIdentityAssociation,
    RbacBinding,
    RbacRole,
    SecretObject,
    ServiceAccount,
    SigningRequest,
    Workload,
)

DecodedT = TypeVar("DecodedT")
_HIDDEN = "***"
NO_KIND = "no kind (expected a Kubernetes object)"  # problem of any other file


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """Object with its identifying data, before its kind's own fields are read.

    Attributes:
        admitted: Whether the API server gave it; False for a manifest.
        namespace: Empty for a cluster-scoped kind.
        created_at: Time as written; empty where not known.
    """

    kind: ObjectKind
    name: str
    namespace: str
    uid: str
    labels: Labels
    annotations: Mapping[str, object]
    controller: str
    created_at: str
    admitted: bool
    place: str
    raw: RawValue

    def decode(self, fields: type[DecodedT]) -> DecodedT:
        """Decode the fields of the kind.

        Raises:
            msgspec.ValidationError: A field has another type.
        """
        return msgspec.convert(self.raw, fields, strict=False)

    def get_annotation(self, name: str) -> str:
        """Return an annotation as text, without a secret; empty where there is none."""
        value = self.annotations.get(name)
        return hide_secret(value) if isinstance(value, str) else ""


def hide_secret(text: str) -> str:
    """Return a name or label value, or `***` where it has the form of a secret."""
    if len(text) > 10 and classify_secret_format(text):
        return _HIDDEN
    return text


@dataclass(slots=True)
class AgentObjects:
    """Objects of kagent and of Services, which only facts are built from.

    Attributes:
        services: Selector of each Service by namespace and name.
        pod_labels: Labels of the pods of a workload, by kind, namespace and name.
    """

    agents: list[ObjectSource] = field(default_factory=list)
    model_configs: list[ObjectSource] = field(default_factory=list)
    remote_servers: list[ObjectSource] = field(default_factory=list)
    servers: list[ObjectSource] = field(default_factory=list)
    services: dict[tuple[str, str], Labels] = field(default_factory=dict)
    pod_labels: dict[tuple[str, str, str], Labels] = field(default_factory=dict)


@dataclass(slots=True)
class ClusterBuilder:
    """Cluster while its objects are read; fields as `Cluster`.

    Attributes:
        default_namespace: Namespace of manifests that state none.
        sources: Source of each service account and workload by kind, namespace, name.
    """

    name: str = ""
    default_namespace: str = "default"
    arn: str = ""
    issuer: str = ""
    version: str = ""
    authentication_mode: str = ""
    roles: dict[tuple[str, str], RbacRole] = field(default_factory=dict)
    bindings: dict[tuple[str, str], RbacBinding] = field(default_factory=dict)
    service_accounts: dict[tuple[str, str], ServiceAccount] = field(
        default_factory=dict
    )
    workloads: dict[tuple[str, str, str], Workload] = field(default_factory=dict)
    secrets: dict[tuple[str, str], SecretObject] = field(default_factory=dict)
    nodes: dict[str, ClusterNode] = field(default_factory=dict)
    namespaces: dict[str, ClusterNamespace] = field(default_factory=dict)
    signing_requests: dict[str, SigningRequest] = field(default_factory=dict)
    access_entries: dict[tuple[str, bool], AccessEntry] = field(default_factory=dict)
    pod_identities: dict[tuple[str, str], PodIdentityAssociation] = field(
        default_factory=dict
    )
    webhook_kinds: set[str] = field(default_factory=set)
    agent_objects: AgentObjects = field(default_factory=AgentObjects)
    sources: dict[tuple[str, str, str], ObjectSource] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    problems: list[ReadProblem] = field(default_factory=list)
    recognised: int = 0

    def add_problem(self, place: str, what: str) -> None:
        """Add a problem of an invalid object or file."""
        self.problems.append(ReadProblem(ReadProblemKind.INVALID, place, what))

    def add_unread(self, source: ObjectSource, what: str) -> None:
        """Add an object that could not be parsed."""
        named = "/".join(filter(None, (source.namespace, source.name)))
        self.add_problem(source.place, f"{source.kind.kind} {named}: {what}")
        self.unread.append(f"{source.kind.kind} {named} ({source.place})")

    def build(self, collected: tuple[str, ...], namespaces: tuple[str, ...]) -> Cluster:
        """Build the cluster.

        Args:
            collected: Kinds that were collected completely.
            namespaces: Namespaces that namespaced kinds were collected for; empty for
                all.
        """
        return Cluster(
            name=self.name,
            arn=self.arn,
            issuer=self.issuer,
            version=self.version,
            collected=collected,
            namespaces_collected=namespaces,
            unread=tuple(self.unread),
            roles=tuple(self.roles.values()),
            bindings=tuple(self.bindings.values()),
            service_accounts=tuple(self.service_accounts.values()),
            workloads=tuple(self.workloads.values()),
            secrets=tuple(self.secrets.values()),
            nodes=tuple(self.nodes.values()),
            namespaces=tuple(self.namespaces.values()),
            signing_requests=tuple(self.signing_requests.values()),
            access_entries=tuple(self._list_access_entries_in_force()),
            pod_identities=tuple(self.pod_identities.values()),
            webhook_kinds=tuple(sorted(self.webhook_kinds)),
        )

    def _list_access_entries_in_force(self) -> list[AccessEntry]:
        """List access entries, and rows of aws-auth where the cluster reads them.

        Source: https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html
        """
        unused = {"API": True, "CONFIG_MAP": False}.get(self.authentication_mode)
        return [e for e in self.access_entries.values() if e.aws_auth is not unused]


def identify_object(
    raw: RawValue,
    place: str,
    kind_and_version: tuple[str, str],
    default_namespace: str,
) -> ObjectSource | str | None:
    """Read the kind and the metadata of an object.

    Args:
        raw: Tree of the object.
        place: Its place.
        kind_and_version: Kind and version that its list states; empty texts for none.
        default_namespace: Namespace of a namespaced object that states none.

    Returns:
        The object; None for a kind that is not read; a text where it is invalid.
    """
    if not isinstance(raw, dict):
        return "not an object (expected a Kubernetes object)"
    kind, version = raw.get("kind"), raw.get("apiVersion")
    found = find_kind(
        version if isinstance(version, str) else kind_and_version[1],
        kind if isinstance(kind, str) else kind_and_version[0],
    )
    if found is None:
        if isinstance(kind, str) or kind_and_version[0]:
            return None
        return NO_KIND
    try:
        metadata = msgspec.convert(
            raw.get("metadata") or {}, ObjectMetadata, strict=False
        )
    except msgspec.ValidationError as error:
        return f"{found.kind}: {describe_validation_error(error)}"
    name = metadata.name or (metadata.generate_name and f"{metadata.generate_name}*")
    if not name:
        return f"{found.kind}: no name"
    return ObjectSource(
        kind=found,
        name=make_name_printable(name),
        namespace=make_name_printable(metadata.namespace or default_namespace)
        if found.namespaced
        else "",
        uid=hide_secret(metadata.uid),
        labels=convert_labels(metadata.labels),
        annotations=metadata.annotations or {},
        controller=_find_controller(metadata),
        created_at=metadata.creation_timestamp or "",
        admitted=bool(metadata.uid),
        place=place,
        raw=raw,
    )


def make_name_printable(name: str) -> str:
    """Return a name as it is, or printable and without a secret."""
    plain = name.isascii() and name.isprintable() and name == name.strip()
    return hide_secret(name) if plain else redact_name(name)


def convert_labels(labels: Mapping[str, str | None] | None) -> Labels:
    """Convert labels to sorted pairs, without secrets."""
    return tuple(sorted((k, hide_secret(v or "")) for k, v in (labels or {}).items()))


def describe_validation_error(error: Exception) -> str:
    """Describe a validation error in one line, without values."""
    return str(error).split("\n", 1)[0][:160]


def _find_controller(metadata: ObjectMetadata) -> str:
    """Return `KIND/NAME` of the controller that owns an object."""
    owners = metadata.owner_references or ()
    return next((f"{e.kind}/{e.name}" for e in owners if e.controller), "")
