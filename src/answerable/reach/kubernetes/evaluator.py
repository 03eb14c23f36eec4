"""Evaluate questions about the clusters of one snapshot."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.kubernetes_ids import (
    PREFIX,
    KubernetesResource,
    parse_resource_id,
)
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.answer_items import cut_answer_page
from answerable.reach.kubernetes.answer_building import SOURCE
from answerable.reach.kubernetes.call_evaluation import evaluate_call
from answerable.reach.kubernetes.call_parsing import parse_resource, parse_verb
from answerable.reach.kubernetes.caller_lists import (
    list_callers_of_call,
    list_rows_of_identities,
)
from answerable.reach.kubernetes.cluster_access import ClusterAccess
from answerable.reach.kubernetes.cluster_merging import decode_clusters
from answerable.reach.kubernetes.identity_resolution import (
    find_nearest_paths,
    find_paths_of_identities,
    require_token,
    resolve_identity,
)
from answerable.reach.kubernetes.platform import PLATFORM
from answerable.reach.kubernetes.rule_edit import (
    remove_rules_from_catalogues,
)
from answerable.reach.platform import (
    Answer,
    AnswerList,
    AppliedEdit,
    PageBounds,
    PathHop,
    PlatformScope,
    PolicyEdit,
    Question,
    SubjectIdentity,
    UnknownSubject,
)
from answerable.reach.row_comparison import RowComparison


@dataclass(frozen=True, slots=True)
class KubernetesEvaluator:
    """Permissions of the clusters of one snapshot, by name."""

    clusters: Mapping[str, ClusterAccess]

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Return an identity, with the reason if its groups are not known."""
        return resolve_identity(self.clusters, start)

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """Return no step: a workflow's token enters a cluster by another platform."""
        return ()

    def find_paths(
        self, starts: Sequence[SubjectIdentity], targets: Collection[IdentityId]
    ) -> Iterator[SubjectIdentity]:
        """Find the paths of identities to those of `targets` that they are or become."""
        for access in self.clusters.values():
            yield from find_paths_of_identities(access, starts, targets)

    def find_nearest_paths(
        self, targets: Collection[IdentityId], skipped: Container[str]
    ) -> Iterator[SubjectIdentity]:
        """Find one path of each known caller to any of `targets`."""
        for access in self.clusters.values():
            yield from find_nearest_paths(access, targets, skipped)

    def continue_from(self, start: SubjectIdentity) -> SubjectIdentity:
        """Add that the next step needs a token, not API rights alone."""
        return require_token(start)

    def name_credential_source(self, account: str) -> str:
        """Name the scan source that describes service accounts and certificates."""
        return SOURCE

    def evaluate(self, question: Question) -> Answer:
        """Evaluate one call for some identities, with proof and assumptions."""
        resource = _get_parsed_resource(question)
        return evaluate_call(self.clusters.get(resource.cluster), question, resource)

    def list_permissions(self, question: Question, page: PageBounds) -> AnswerList:
        """List what some identities can do, themselves and as others."""
        return cut_answer_page(list_rows_of_identities(self.clusters, question), page)

    def list_callers(self, question: Question, page: PageBounds) -> AnswerList:
        """List all identities that can make one call, the surest first."""
        resource = _get_parsed_resource(question)
        access = self.clusters.get(resource.cluster)
        if access is None:
            answer = evaluate_call(None, question, resource)
            return cut_answer_page([answer], page)
        return list_callers_of_call(access, question, resource, page)

    def describe_scope(self) -> PlatformScope:
        """Describe the collected identities and clusters."""
        count = sum(len(each.index.identities) for each in self.clusters.values())
        return PlatformScope(count, tuple(sorted(self.clusters)), (), SOURCE)


def _get_parsed_resource(question: Question) -> KubernetesResource:
    """Return the resource of a parsed call.

    Raises:
        UsageError: The call was not parsed for this platform.
    """
    found = parse_resource_id(question.resource)
    if found is None:
        raise UsageError(f"not a Kubernetes resource (got {question.resource[:80]!r})")
    return found


def get_clusters(inventory: Inventory) -> Mapping[str, ClusterAccess]:
    """Return the clusters of a snapshot, by name."""
    return inventory.get_or_compute_value("kubernetes clusters", _build_clusters)


def _build_clusters(inventory: Inventory) -> Mapping[str, ClusterAccess]:
    """Build the index of each cluster of a snapshot."""
    return build_clusters(inventory.facts.select_catalogues(PLATFORM))


def build_clusters(
    catalogues: Iterable[PlatformCatalogue],
) -> Mapping[str, ClusterAccess]:
    """Build the index of each cluster."""
    return {
        name: ClusterAccess(parts)
        for name, parts in decode_clusters(catalogues).items()
    }


def parse_call(inventory: Inventory, action: str, resource: str) -> tuple[str, str]:
    """Parse a verb, and the id or `NAMESPACE/RESOURCE/NAME` of a resource.

    Raises:
        UsageError: One of them is unknown; the hint has the nearest spelling.
    """
    clusters = {name: each.index for name, each in get_clusters(inventory).items()}
    if not resource.startswith(PREFIX):
        parse_verb(clusters, action, url=resource.startswith("/"))
    found = parse_resource(clusters, resource)
    return parse_verb(clusters, action, url=bool(found.url)), str(found)


def apply_edit(inventory: Inventory, edit: PolicyEdit) -> AppliedEdit:
    """Take bindings, rules and access policies away.

    Raises:
        UsageError: A binding or rule is unknown, or the edit is of another kind.
    """
    edited = remove_rules_from_catalogues(inventory.facts.catalogues, edit)
    return _compare_clusters(inventory, get_clusters(inventory), build_clusters(edited))


def compare_snapshots(before: Inventory, after: Inventory) -> AppliedEdit:
    """Compare the clusters of two snapshots."""
    sides = get_clusters(before), get_clusters(after)
    return _compare_clusters(after, *sides, own_rows=True)


def _compare_clusters(
    inventory: Inventory,
    before: Mapping[str, ClusterAccess],
    after: Mapping[str, ClusterAccess],
    *,
    own_rows: bool = False,
) -> AppliedEdit:
    """Compare the rows of all identities of clusters."""
    return RowComparison(
        inventory,
        KubernetesEvaluator(before),
        KubernetesEvaluator(after),
        lambda: (
            str(subject)
            for access in (*before.values(), *after.values())
            for subject in access.index.identities
        ),
        has_superusers=own_rows,
        own_rows=own_rows,
    ).build_edit()
