"""Merge the collected parts of a cluster into one."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import msgspec

from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.kubernetes.catalogue import Cluster
from answerable.reach.kubernetes.platform import PLATFORM

_NAMED: Mapping[str, Callable[..., Hashable]] = {
    "roles": lambda each: (each.namespace, each.name),
    "bindings": lambda each: (each.namespace, each.name),
    "service_accounts": lambda each: (each.namespace, each.name),
    "workloads": lambda each: (each.kind, each.namespace, each.name),
    "secrets": lambda each: (each.namespace, each.name),
    "nodes": lambda each: each.name,
    "namespaces": lambda each: each.name,
    "signing_requests": lambda each: each.name,
    "access_entries": lambda each: (each.principal, each.aws_auth),
    "pod_identities": lambda each: (each.namespace, each.service_account, each.role),
}
_ONE_VALUE = ("arn", "issuer", "version")
_LISTS = ("unread", "webhook_kinds")


@dataclass(frozen=True, slots=True)
class KindsByNamespace:
    """Kinds that the parts of a cluster hold completely, by namespace.

    Attributes:
        everywhere: Kinds that were collected for all namespaces.
        by_namespace: Kinds that were collected for single namespaces.
    """

    everywhere: frozenset[str]
    by_namespace: Mapping[str, frozenset[str]]

    def includes(self, kind: str, namespace: str = "") -> bool:
        """Return whether a kind was collected, in a namespace or everywhere."""
        return kind in self.everywhere or kind in self.by_namespace.get(
            namespace, frozenset()
        )


def decode_clusters(
    catalogues: Iterable[PlatformCatalogue],
) -> dict[str, list[Cluster]]:
    """Decode the parts of each cluster, the newest first."""
    mine = [each for each in catalogues if each.platform == PLATFORM]
    parts: dict[str, list[Cluster]] = {}
    for each in sorted(mine, key=lambda c: (-c.seen.at, c.seen.source)):
        decoded = msgspec.json.decode(each.body, type=Cluster)
        parts.setdefault(decoded.name, []).append(decoded)
    return parts


def merge_parts(parts: Sequence[Cluster]) -> Cluster:
    """Merge the parts of a cluster; of equal names the newest object counts.

    Args:
        parts: Parts of one cluster, the newest first.
    """
    if len(parts) == 1:
        return parts[0]
    merged: dict[str, object] = {}
    for field in fields(Cluster):
        values = [getattr(part, field.name) for part in parts]
        if field.name in _NAMED:
            merged[field.name] = tuple(_merge_objects(values, _NAMED[field.name]))
        elif field.name in _ONE_VALUE:
            merged[field.name] = next((each for each in values if each), "")
        elif field.name in _LISTS:
            merged[field.name] = tuple(
                dict.fromkeys(v for each in values for v in each)
            )
    return replace(parts[0], **merged)  # type: ignore[arg-type]


def _merge_objects(
    lists: Iterable[Iterable[object]], get_key: Callable[..., Hashable]
) -> Iterator[object]:
    """Yield each object once, as the first list has it."""
    seen: set[Hashable] = set()
    for objects in lists:
        keys = set()
        for each in objects:
            key = get_key(each)
            keys.add(key)
            if key not in seen:
                yield each
        seen |= keys


def merge_collected_kinds(parts: Sequence[Cluster]) -> KindsByNamespace:
    """Merge what the parts of a cluster hold completely."""
    everywhere: set[str] = set()
    by_namespace: dict[str, frozenset[str]] = {}
    for part in parts:
        kinds = frozenset(part.collected)
        if not part.namespaces_collected:
            everywhere |= kinds
        for namespace in part.namespaces_collected:
            by_namespace[namespace] = by_namespace.get(namespace, frozenset()) | kinds
        if part.namespaces_collected:
            everywhere |= kinds & CLUSTER_SCOPED_KINDS
    return KindsByNamespace(frozenset(everywhere), by_namespace)


CLUSTER_SCOPED_KINDS = frozenset(
    {
        "access-entries",
        "aws-auth",
        "certificatesigningrequests",
        "clusterrolebindings",
        "clusterroles",
        "mutatingwebhookconfigurations",
        "namespaces",
        "nodes",
        "pod-identity-associations",
        "validatingwebhookconfigurations",
    }
)
