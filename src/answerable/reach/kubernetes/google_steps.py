"""List the steps from principals of Google Cloud to users of GKE clusters.

The user name of a token is the e-mail address of its principal. IAM roles of Google Cloud
grant calls to a GKE cluster beside RBAC: they are not evaluated for clusters, so a call
to a GKE cluster stays open for the principals of an estate.

Source: https://docs.cloud.google.com/kubernetes-engine/docs/how-to/role-based-access-control,
"Interaction with Identity and Access Management".
"""

from collections.abc import Iterator, Sequence

from answerable.model.google_cloud_ids import normalise_principal
from answerable.model.ids import IdentityId
from answerable.model.kubernetes_ids import KubernetesSubject
from answerable.reach.condition_formula import TRUE
from answerable.reach.cross_platform_steps import CrossPlatformSteps, UnscannedEntry
from answerable.reach.kubernetes.catalogue import Cluster
from answerable.reach.kubernetes.cluster_index import ClusterIndex
from answerable.reach.kubernetes.subject_keys import MASTERS
from answerable.reach.platform import DeterminingStatement, PathHop, UnknownSubject

_ISSUER = "https://container.googleapis.com/"
_CONTEXT = "gke_"  # begins the names of clusters in kubeconfigs of Google
_VERSION = "-gke."
_SERVICE_ACCOUNTS = ".gserviceaccount.com"


def list_user_steps(
    clusters: Sequence[ClusterIndex], *, is_estate_scanned: bool
) -> CrossPlatformSteps:
    """List the steps of the principals that bindings of GKE clusters name.

    Args:
        is_estate_scanned: Whether a scan describes Google Cloud. A cluster that may be
            of GKE then counts as one.
    """
    steps: list[PathHop] = []
    unknown: list[UnknownSubject] = []
    unscanned: list[UnscannedEntry] = []
    for index in clusters:
        if is_estate_scanned and may_be_gke(index.cluster):
            what = "IAM roles of Google Cloud may grant it: not evaluated for clusters"
            unknown.append(UnknownSubject(f"cluster {index.name}", what, ""))
            steps += _list_steps_of_users(index)
        elif is_gke(index.cluster):
            what = f"no scan describes the project of the cluster {index.name}"
            missing = UnknownSubject(f"project of {index.name}", what, "gcp")
            masters = KubernetesSubject(index.name, "group", MASTERS)
            unscanned.append(UnscannedEntry(IdentityId(str(masters)), missing))
    return CrossPlatformSteps(tuple(steps), tuple(unknown), tuple(unscanned))


def is_gke(cluster: Cluster) -> bool:
    """Return whether a cluster is of GKE, by its issuer, name or version."""
    return (
        cluster.issuer.startswith(_ISSUER)
        or cluster.name.startswith(_CONTEXT)
        or _VERSION in cluster.version
    )


def may_be_gke(cluster: Cluster) -> bool:
    """Return whether a cluster is of GKE, or nothing tells that it is not."""
    return is_gke(cluster) or not (cluster.issuer or cluster.version or cluster.arn)


def _list_steps_of_users(index: ClusterIndex) -> Iterator[PathHop]:
    """Yield the step of each principal whose address a binding names as a user."""
    names = {
        subject.name
        for binding in index.cluster.bindings
        for subject in binding.subjects
        if subject.kind == "User" and "@" in subject.name
    }
    for name in sorted(names):
        is_account = name.endswith(_SERVICE_ACCOUNTS)
        origin = normalise_principal(name if is_account else f"user:{name}")
        user = KubernetesSubject(index.name, "user", name)
        proof = DeterminingStatement("cluster", index.name, f"user {name}", "allow")
        if origin:
            yield PathHop(origin, "token of GKE", str(user), TRUE, (proof,))
