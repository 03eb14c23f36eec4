"""Link an AWS session of a Kubernetes service account (IRSA) with the pod behind it.

AWS logs the subject of the pod's token and not its id. The audit log of the cluster
contains the pods for which tokens of the account were requested, or which called the API
server as the account. If there was only one such pod, it is inferred.
"""

from dataclasses import dataclass

from answerable.model.kubernetes_ids import KubernetesResource
from answerable.model.lineage import ChainRow, HopStatus
from answerable.model.provenance import WrittenBy
from answerable.model.time_units import DAY_NS
from answerable.presentation.entity_rows import EntityRows, LinkEvidence
from answerable.services.lineage.lineage_search import SearchScope
from answerable.store.event_columns import build_fact_sql
from answerable.store.segment_scope import SegmentScope
from answerable.store.store import EvidenceStore

_SOURCE = "k8s-audit"
_AUDIENCE = "sts.amazonaws.com"
_SUBJECT = "/system:serviceaccount:"
_LIFETIME = DAY_NS  # of the token of a pod for AWS, at most
_NAMED = 5  # pods that a message names, at most


@dataclass(frozen=True, slots=True, order=True)
class _Pod:
    """Pod with a token of an account, and the record that shows it."""

    cluster: str
    name: str
    uid: str
    event: str
    is_for_aws: bool


def add_pod_link(
    rows: EntityRows, store: EvidenceStore, scope: SearchScope, row: ChainRow
) -> None:
    """Add the pod behind an event of AWS, or the log that would contain it.

    Args:
        rows: Rows of the event.
        store: The store.
        scope: What the reader may see; a reader of a part sees no pods.
        row: The event with its chain.
    """
    if scope.visible_agents is not None:
        return
    path = (row.event.identity, *row.chain.identity_path)
    subject = next((e for e in path if e.startswith("oidc:") and _SUBJECT in e), "")
    if not subject:
        return
    issuer, _, account = subject.removeprefix("oidc:").rpartition(_SUBJECT)
    namespace, _, name = account.partition(":")
    pods = _find_pods(store, row, namespace, name)
    exact = [each for each in pods if each.is_for_aws] or pods
    named = sorted({(each.cluster, each.name, each.uid) for each in exact})
    if len(named) == 1:
        pod = min(exact)
        how = "a token of the account for AWS" if pod.is_for_aws else "the account"
        rows.add(
            "resource",
            "from pod",
            str(KubernetesResource(pod.cluster, namespace, "pods", "", pod.name)),
            LinkEvidence(
                HopStatus.INFERRED.value,
                f"{_SOURCE} event {pod.event}",
                WrittenBy.PLATFORM.value,
            ),
            f"the only pod with {how} on that day, if its cluster has the issuer {issuer}",
        )
        return
    listed = ", ".join(f"{cluster} {name}" for cluster, name, _ in named[:_NAMED])
    gap = f"{len(named)} pods used the account on that day: {listed}"
    if not named:
        gap = f"the {_SOURCE} log of the cluster with the issuer {issuer}"
    rows.add("resource", "from pod", None, LinkEvidence("missing", gap))


def _find_pods(
    store: EvidenceStore, row: ChainRow, namespace: str, name: str
) -> list[_Pod]:
    """Find the pods that had tokens of an account when the session was issued."""
    until = (row.chain.credential_from or row.event.event_time) + 1
    issued, issued_uid, audiences, pod, pod_uid = (
        build_fact_sql(each, "''")
        for each in ("issued_pod", "issued_pod_uid", "issued_for", "pod", "pod_uid")
    )
    columns = "e.scope, min(lower(hex(e.event_id)))"
    since = max(until - _LIFETIME, 1)
    condition = (
        f"e.source = '{_SOURCE}' AND e.written_by = 'platform' "
        "AND e.outcome = 'success' AND e.event_time >= ? AND e.event_time < ?"
    )
    found = store.run_query(
        f"SELECT {columns}, {issued} AS pod, {issued_uid} AS uid, true "  # noqa: S608 - ours
        f"FROM events e WHERE {condition} AND ends_with(e.resource, ?) AND {issued} <> '' "
        f"AND list_contains(string_split({audiences}, ' '), '{_AUDIENCE}') GROUP BY ALL "
        f"UNION ALL SELECT {columns}, {pod} AS pod, {pod_uid} AS uid, false "
        f"FROM events e WHERE {condition} AND ends_with(e.identity, ?) AND {pod} <> '' "
        "GROUP BY ALL ORDER BY ALL",
        [
            since,
            until,
            f"/{namespace}/serviceaccounts/{name}/token",
            since,
            until,
            f"/{namespace}/serviceaccount/{name}",
        ],
        scope=SegmentScope(since, until, ({"source": {_SOURCE}},)),
    )
    return [
        _Pod(str(cluster), str(pod_name), str(uid), str(event), bool(for_aws))
        for cluster, event, pod_name, uid, for_aws in found
    ]
