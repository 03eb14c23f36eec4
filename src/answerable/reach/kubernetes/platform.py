"""Kubernetes as a permission platform: format of ids and calls."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.reach.cross_platform_steps import (
    CrossPlatformSteps,
    may_be_cluster,
)
from answerable.reach.platform import (
    AppliedEdit,
    ConditionContext,
    PermissionEvaluator,
    PolicyEdit,
    Question,
)

if TYPE_CHECKING:
    from answerable.reach.kubernetes.cluster_index import ClusterIndex
    from answerable.reach.token_trust import TokenTrusts

PLATFORM = "kubernetes"
AWS = "aws"
GCP = "gcp"
_MARK = "k8s:"


# A question imports only the modules that answer it.
@dataclass(frozen=True, slots=True)
class KubernetesPlatform:
    """RBAC and EKS access policies of clusters, and the steps that they allow."""

    name: str = PLATFORM
    kinds: tuple[str, ...] = ("k8s-",)

    def owns(self, key: str) -> bool:
        """Return whether an id is of an identity or a resource of a cluster."""
        if not key.startswith(_MARK):
            return False
        from answerable.model import kubernetes_ids as ids

        return bool(ids.parse_subject_id(key) or ids.parse_resource_id(key))

    def parse_call(
        self, inventory: Inventory, action: str, resource: str
    ) -> tuple[str, str]:
        """Parse a verb, and the id or `NAMESPACE/RESOURCE/NAME` of a resource."""
        if not resource.startswith(_MARK) and not list_cluster_names(inventory):
            raise UsageError(
                f"no scanned cluster has {resource[:80]!r}",
                "scan its cluster first: answerable scan k8s:",
            )
        from answerable.reach.kubernetes import evaluator

        return evaluator.parse_call(inventory, action, resource)

    def suggest_actions(self, prefix: str) -> Iterable[tuple[str, str]]:
        """Suggest verbs while one is typed."""
        from answerable.reach.kubernetes import resource_kinds

        verbs = (*resource_kinds.STANDARD_VERBS, *resource_kinds.SPECIAL_VERBS)
        return [(each, "verb") for each in verbs if each.startswith(prefix.lower())]

    def parse_session(
        self, inventory: Inventory, subject: str, context: ConditionContext
    ) -> tuple[str, ConditionContext]:
        """Return both unchanged: a session has no id of its own."""
        return subject, context

    def find_external(self, inventory: Inventory, text: str) -> str | None:
        """Find an identity that no scan names, by its id or its user name."""
        clusters = list_cluster_names(inventory)
        if not clusters and not text.startswith(_MARK):
            return None
        from answerable.model import kubernetes_ids as ids

        if ids.parse_subject_id(text):
            return text
        if text.startswith(ids.SERVICE_ACCOUNT_PREFIX) and len(clusters) == 1:
            return str(ids.build_user_subject(clusters[0], text))
        return None

    def open(self, inventory: Inventory, question: Question) -> PermissionEvaluator:
        """Index the clusters of a snapshot, or reuse the index."""
        from answerable.reach.kubernetes import evaluator

        return evaluator.KubernetesEvaluator(evaluator.get_clusters(inventory))

    def open_edit(
        self, inventory: Inventory, question: Question, edit: PolicyEdit
    ) -> AppliedEdit:
        """Take bindings, rules and access policies away."""
        from answerable.reach.kubernetes import evaluator

        return evaluator.apply_edit(inventory, edit)

    def open_comparison(
        self, before: Inventory, after: Inventory, question: Question
    ) -> AppliedEdit:
        """Compare the clusters of two snapshots."""
        from answerable.reach.kubernetes import evaluator

        return evaluator.compare_snapshots(before, after)

    def compile_snapshot(self, inventory: Inventory, before: Inventory | None) -> None:
        """Compile the clusters of a snapshot once for all questions."""
        if list_cluster_names(inventory):
            from answerable.reach.kubernetes import evaluator

            for access in evaluator.get_clusters(inventory).values():
                access.compile()


def list_cluster_names(inventory: Inventory) -> list[str]:
    """List the names of the clusters of a snapshot."""
    found = inventory.facts.select_catalogues(PLATFORM)
    return list(dict.fromkeys(each.place for each in found))


@dataclass(frozen=True, slots=True)
class ServiceAccountRoles:
    """Steps from service accounts to identities of a platform that trusts their tokens.

    Attributes:
        open_trusts: Opens the trust policies of that platform.
    """

    open_trusts: "Callable[[Inventory, Question], TokenTrusts]"
    target: str
    origin: str = PLATFORM
    is_complete: bool = True

    def list_steps(
        self,
        inventory: Inventory,
        question: Question,
        edited: Mapping[str, PermissionEvaluator],
    ) -> CrossPlatformSteps:
        """List the steps of all service accounts."""
        trusts = cast("TokenTrusts | None", edited.get(self.target))
        if trusts is None:
            trusts = self.open_trusts(inventory, replace(question, identities=()))
        if not list_cluster_names(inventory) and not _trusts_clusters(trusts):
            return CrossPlatformSteps()
        from answerable.reach.kubernetes import aws_steps

        def build(_: Inventory) -> CrossPlatformSteps:
            clusters = _get_clusters(inventory, edited)
            return aws_steps.list_role_steps(clusters, trusts)

        if question.context or edited:
            return build(inventory)
        return inventory.get_or_compute_value("kubernetes roles of aws", build)


def _trusts_clusters(trusts: "TokenTrusts") -> bool:
    """Return whether trust policies name a cluster or EKS Pod Identity."""
    issuers = any(may_be_cluster(each) for each in trusts.list_token_issuers())
    return issuers or bool(trusts.list_service_trusts("pods.eks.amazonaws.com"))


@dataclass(frozen=True, slots=True)
class CloudUsers:
    """Steps from principals of a cloud to users of its clusters: EKS or GKE.

    Attributes:
        origin: `aws` or `gcp`.
    """

    origin: str
    target: str = PLATFORM
    is_complete: bool = True

    def list_steps(
        self,
        inventory: Inventory,
        question: Question,
        edited: Mapping[str, PermissionEvaluator],
    ) -> CrossPlatformSteps:
        """List the steps of access entries, rows of aws-auth, and Google's principals."""
        if not list_cluster_names(inventory):
            return CrossPlatformSteps()

        def build(_: Inventory) -> CrossPlatformSteps:
            clusters = _get_clusters(inventory, edited)
            if self.origin == AWS:
                from answerable.reach.kubernetes import aws_steps

                return aws_steps.list_user_steps(clusters, inventory)
            from answerable.reach.kubernetes import google_steps

            is_scanned = GCP in inventory.facts.list_catalogue_platforms()
            return google_steps.list_user_steps(clusters, is_estate_scanned=is_scanned)

        if edited:
            return build(inventory)
        return inventory.get_or_compute_value(
            f"kubernetes users of {self.origin}", build
        )


def _get_clusters(
    inventory: Inventory, edited: Mapping[str, PermissionEvaluator]
) -> "list[ClusterIndex]":
    """Return the clusters of an edit, or of a snapshot."""
    from answerable.reach.kubernetes import evaluator

    found = edited.get(PLATFORM)
    if isinstance(found, evaluator.KubernetesEvaluator):
        return [each.index for each in found.clusters.values()]
    return [each.index for each in evaluator.get_clusters(inventory).values()]
