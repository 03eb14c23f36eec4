"""Nodes and steps of pods: to their service accounts, secrets and cluster nodes."""

from collections import defaultdict
from collections.abc import Iterator

from answerable.model.kubernetes_ids import (
    NODE_PREFIX,
    KubernetesResource,
    KubernetesSubject,
)
from answerable.reach.condition_formula import TRUE, Formula, build_atom, conjoin
from answerable.reach.kubernetes.access_graph import AccessGraph, Edge
from answerable.reach.kubernetes.catalogue import PolicyRule, Workload
from answerable.reach.kubernetes.node_escapes import find_node_escape
from answerable.reach.kubernetes.step_rules import (
    NODE_CHOICE,
    WORKLOAD_KINDS,
    WORKLOADS,
)

_GROUPS = {kind: group for kind, group, _ in WORKLOADS}


class PodNodes:
    """Pods of a cluster in its graph.

    A controller stands for its pods where the pods of its namespace were not collected.
    """

    def __init__(self, graph: AccessGraph) -> None:
        self.graph = graph
        cluster = graph.index.cluster
        collected = graph.index.collected
        listed = {each.namespace for each in cluster.workloads if each.kind == "Pod"}
        self._pods: dict[str, dict[str, int]] = defaultdict(dict)
        self._by_node: dict[str, int] = defaultdict(int)
        self._everywhere = 0
        self.workloads: list[tuple[int, Workload]] = []
        for workload in cluster.workloads:
            stands = workload.namespace not in listed and not collected.includes(
                "pods", workload.namespace
            )
            if workload.kind == "Pod" or stands:
                self._add_pod(workload)
        self._nodes = [
            str(KubernetesSubject(graph.index.name, "user", NODE_PREFIX + node.name))
            for node in cluster.nodes
        ]
        for _, workload in self.workloads:
            if workload.node:
                subject = KubernetesSubject(
                    graph.index.name, "user", NODE_PREFIX + workload.node
                )
                if not graph.get_bit(str(subject)):
                    graph.add_subject(subject)
                    self._nodes.append(str(subject))
        self._automount = {
            (each.namespace, each.name): each.automount
            for each in cluster.service_accounts
        }

    def _add_pod(self, workload: Workload) -> None:
        """Add a pod to the graph."""
        plural = WORKLOAD_KINDS.get(workload.kind, "pods")
        group = _GROUPS.get(plural, "")
        bit = self.graph.add_pod(workload, f"{plural}.{group}" if group else plural)
        self.workloads.append((bit, workload))
        self._hold_secrets(workload)
        self._pods[workload.namespace][workload.name] = bit
        if workload.node:
            self._by_node[workload.node] |= bit
        elif workload.kind == "DaemonSet":
            self._everywhere |= bit

    def list_pods(self, namespace: str, name: str) -> int:
        """Return the bits of the pods of a namespace, or of the named one."""
        pods = self._pods.get(namespace, {})
        if name:
            return pods.get(name, 0)
        bits = 0
        for bit in pods.values():
            bits |= bit
        return bits

    def list_pods_on(self, node: str) -> int:
        """Return the bits of the pods on a node; on all nodes without a name."""
        if node:
            return self._by_node.get(node, 0) | self._everywhere
        bits = 0
        for bit, _ in self.workloads:
            bits |= bit
        return bits

    def compile_edges(self) -> Iterator[Edge]:
        """Yield the steps of pods, and of nodes to the pods on them."""
        for bit, workload in self.workloads:
            yield from self._compile_pod(bit, workload)
        for key in self._nodes:
            node = key.rpartition(NODE_PREFIX)[2]
            pods = self.list_pods_on(node)
            if pods:
                fact = (f"node {node}", "runs these pods")
                yield Edge(
                    self.graph.get_bit(key), pods, "controls pods", facts=(fact,)
                )

    def _compile_pod(self, bit: int, workload: Workload) -> Iterator[Edge]:
        """Yield the steps of one pod."""
        name = f"{workload.kind} {workload.namespace}/{workload.name}"
        account = KubernetesSubject(
            self.graph.index.name,
            "serviceaccount",
            workload.service_account,
            workload.namespace,
        )
        target = self.graph.get_bit(str(account))
        if target and self._mounts_token(workload):
            fact = (name, f"serviceAccountName: {workload.service_account}")
            yield Edge(bit, target, "reads its token", facts=(fact,))
        secrets = self._hold_secrets(workload)
        if secrets:
            fact = (name, "mounts secrets")
            yield Edge(bit, secrets, "reads its secrets", facts=(fact,))
        escape = find_node_escape(workload)
        if escape is not None:
            formula, text = escape
            targets, chosen = self._list_nodes_of(workload)
            if targets:
                formula = conjoin(formula, chosen)
                yield Edge(
                    bit,
                    targets,
                    "escapes from the pod to its node",
                    formula,
                    (),
                    ((name, text),),
                )

    def _mounts_token(self, workload: Workload) -> bool:
        """Return whether a container of a pod has the token of its service account.

        Source: https://kubernetes.io/docs/tasks/configure-pod-container/
        configure-service-account/#opt-out-of-api-credential-automounting
        """
        automount = workload.automount
        if automount is None:
            automount = self._automount.get(
                (workload.namespace, workload.service_account)
            )
        if automount is False:
            return False
        containers = workload.containers
        return not containers or any(each.tokens_mounted for each in containers)

    def _hold_secrets(self, workload: Workload) -> int:
        """Return the bits of the permissions to read the secrets of a pod."""
        bits = 0
        names = {name for each in workload.containers for name in each.secrets}
        for name in sorted(names):
            resource = KubernetesResource(
                self.graph.index.name, workload.namespace, "secrets", name=name
            )
            rule = PolicyRule(("get",), ("",), ("secrets",), (name,))
            bits |= self.graph.add_holding(resource, workload.namespace, (rule,))
        return bits

    def _list_nodes_of(self, workload: Workload) -> tuple[int, Formula]:
        """Return the bits of the nodes that a pod may run on, and the condition."""
        if workload.node:
            key = KubernetesSubject(
                self.graph.index.name, "user", NODE_PREFIX + workload.node
            )
            return self.graph.get_bit(str(key)), TRUE
        bits = self.graph.join_bits(self._nodes)
        if workload.kind == "DaemonSet" or len(self._nodes) == 1:
            return bits, TRUE
        name = f"{workload.namespace}/{workload.name}"
        return bits, build_atom(NODE_CHOICE, "Equals", (f"the node of {name}",))
