"""Decide which kinds the lists of some files contain completely.

`kubectl get` lists one namespace or all, so a list with objects of two namespaces is of
all. A list without an object that every cluster has was filtered. A manifest proves
nothing about what else a cluster contains.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from answerable.connectors.kubernetes.kinds import KINDS, ObjectKind
from answerable.connectors.kubernetes.parse.cluster_builder import ObjectSource

_RBAC_KINDS = frozenset(("roles", "rolebindings", "serviceaccounts"))


@dataclass(slots=True)
class ListRecord:
    """Contents of one list.

    Attributes:
        stated: Kinds that the list or its file's name states.
        namespaces: Namespaces of its objects, by kind.
        present: Kinds whose object of every cluster is in the list.
        whole: False for a list that is cut off.
    """

    stated: set[str] = field(default_factory=set)
    namespaces: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    present: set[str] = field(default_factory=set)
    whole: bool = True

    def add_object(self, source: ObjectSource) -> None:
        """Count an object."""
        self.namespaces[source.kind.plural].add(source.namespace)
        if source.kind.present == (source.namespace, source.name):
            self.present.add(source.kind.plural)

    def list_all_namespaces(self) -> set[str]:
        """List the namespaces of all objects."""
        return set().union(*self.namespaces.values()) - {""}


@dataclass(frozen=True, slots=True)
class CollectedKinds:
    """Kinds that were collected completely, in some namespaces or all.

    Attributes:
        namespaces: Empty for all.
    """

    kinds: tuple[str, ...]
    namespaces: tuple[str, ...] = ()


def find_collected_kinds(
    records: Iterable[ListRecord], known_namespaces: Iterable[str]
) -> CollectedKinds:
    """Find the kinds that lists contain completely.

    Args:
        records: All lists.
        known_namespaces: Namespaces of the cluster, where they were collected.
    """
    whole: set[str] = set()
    parts: dict[str, set[str]] = defaultdict(set)
    usable = [record for record in records if record.whole]
    for kind in KINDS:
        for record in usable:
            _judge_list(kind, record, whole, parts)
    if "namespaces" in whole:
        every = set(known_namespaces)
        whole |= {plural for plural, some in parts.items() if every <= some}
    partial = sorted(parts.keys() - whole)
    if not partial or whole & _RBAC_KINDS:
        return CollectedKinds(tuple(sorted(whole)))
    shared = set.intersection(*(parts[plural] for plural in partial))
    if not shared:
        return CollectedKinds(tuple(sorted(whole)))
    return CollectedKinds(tuple(sorted({*whole, *partial})), tuple(sorted(shared)))


def _judge_list(
    kind: ObjectKind, record: ListRecord, whole: set[str], parts: dict[str, set[str]]
) -> None:
    """Add a kind to the collected ones if a list contains it completely."""
    plural = kind.plural
    found = record.namespaces.get(plural)
    if not found:
        empty = plural in record.stated and not record.namespaces
        if empty and not kind.present[1] and (kind.optional or not kind.namespaced):
            whole.add(plural)
        return
    is_present = not kind.present[1] or plural in record.present
    if not kind.namespaced:
        if is_present:
            whole.add(plural)
        return
    namespaces = record.list_all_namespaces()
    if len(namespaces) == 1:
        parts[plural] |= namespaces
    elif is_present:
        whole.add(plural)
