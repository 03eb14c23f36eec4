"""Steps of the verbs `bind` and `escalate`: permissions that an identity gives itself."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.model.kubernetes_ids import KubernetesResource
from answerable.reach.kubernetes.access_graph import AccessGraph, Edge
from answerable.reach.kubernetes.catalogue import RbacRole
from answerable.reach.kubernetes.cluster_index import EVERYTHING
from answerable.reach.kubernetes.rule_matching import (
    ALL,
    KubernetesRequest,
    build_request,
)
from answerable.reach.kubernetes.step_rules import RBAC
from answerable.reach.kubernetes.subject_keys import build_subject_key

_EDIT = ("update", "patch")


class RoleSteps:
    """Compiler of the steps that `bind` and `escalate` give.

    Sources: kubernetes pkg/registry/rbac/escalation_check.go (BindingAuthorized,
    RoleEscalationAuthorized), pkg/registry/rbac/clusterrole/policybased/storage.go and
    its siblings.
    """

    def __init__(self, graph: AccessGraph) -> None:
        self.graph = graph
        self.index = graph.index
        self._full = self._is_some_role_full()
        self._bound = self._collect_bound_subjects()

    def _is_some_role_full(self) -> bool:
        """Return whether a ClusterRole allows everything: `cluster-admin`, by default."""
        if not self.index.collected.includes("clusterroles"):
            return True
        return any(
            ALL in rule.verbs and ALL in rule.resources and ALL in rule.api_groups
            for (namespace, _), role in self.index.roles.items()
            for rule in role.rules
            if not namespace and not rule.resource_names
        )

    def _collect_bound_subjects(self) -> dict[tuple[str, str, str], int]:
        """Collect the bits of the holders of each role, by scope, kind and name."""
        found: dict[tuple[str, str, str], int] = {}
        bits_of_key = self.graph.get_bits_of_key
        for binding in self.index.cluster.bindings:
            key = (binding.namespace, binding.role_kind, binding.role)
            bits = found.get(key, 0)
            for subject in binding.subjects:
                bits |= bits_of_key(build_subject_key(subject, binding))
            found[key] = bits
        return found

    def hold_namespace(self, namespace: str) -> int:
        """Return the bit of all permissions in a namespace; in the cluster if empty."""
        if not namespace:
            return self.graph.masters
        resource = KubernetesResource(self.index.name, namespace, ALL)
        return self.graph.add_holding(resource, namespace, EVERYTHING[:1])

    def add_holdings(self) -> None:
        """Add the permissions that steps may give, before steps are compiled."""
        for namespace in self.index.namespaces:
            self.hold_namespace(namespace)
            for role, _ in self._list_bindable(namespace):
                self._hold_role(role, namespace)
        for role, _ in self._list_bindable(""):
            self._hold_role(role, "")

    def compile_rules(self) -> Iterator[Edge]:
        """Yield the steps of both verbs in every scope."""
        for namespace in ("", *self.index.namespaces):
            yield from self._compile_bind(namespace)
        yield from self._compile_escalate()

    def _list_bindable(
        self, namespace: str
    ) -> Iterator[tuple[RbacRole, KubernetesRequest]]:
        """Yield the roles that `bind` may name in a scope, with the request for each.

        Where `bind` names no role and a role allows everything, that role says it all.
        """
        kinds = ("clusterroles", "roles") if namespace else ("clusterroles",)
        for kind in kinds:
            request = build_request("bind", (kind, RBAC, ""), "", namespace)
            names = self.graph.list_limited_names(request)
            unnamed = self.graph.find_allowed(request)
            place = "" if kind == "clusterroles" else namespace
            whole = unnamed and not (self._full and kind == "clusterroles")
            for (where, name), role in self.index.roles.items():
                if where == place and (whole or name in names):
                    yield role, replace(request, name=name)

    def _hold_role(self, role: RbacRole, scope: str) -> int:
        """Return the bit of the permissions of a role in a scope."""
        kind = "roles" if role.namespace else "clusterroles"
        resource = KubernetesResource(self.index.name, scope, kind, RBAC, role.name)
        return self.graph.add_holding(resource, scope, role.rules)

    def _compile_bind(self, namespace: str) -> Iterator[Edge]:
        """Yield the steps of a new binding in a scope: its role is bound to oneself."""
        kind = "rolebindings" if namespace else "clusterrolebindings"
        create = build_request("create", (kind, RBAC, ""), "", namespace)
        creators = self.graph.find_allowed(create)
        if not creators:
            return
        via = f"bind a role (create {kind})"
        if self._full:
            bind = build_request("bind", ("clusterroles", RBAC, ""), "", namespace)
            actors = creators & self.graph.find_allowed(bind)
            if actors:
                target = self.hold_namespace(namespace)
                yield Edge(actors, target, via, needs=((create,), (bind,)))
        for role, request in self._list_bindable(namespace):
            actors = creators & self.graph.find_allowed(request)
            if actors:
                target = self._hold_role(role, namespace)
                yield Edge(actors, target, via, needs=((create,), (request,)))

    def _compile_escalate(self) -> Iterator[Edge]:
        """Yield the steps of a role that its holder fills with every permission."""
        for (scope, kind, name), holders in self._bound.items():
            if kind == "Role" and not scope:
                continue
            plural, place = ("roles", scope) if kind == "Role" else ("clusterroles", "")
            escalate = build_request("escalate", (plural, RBAC, ""), name, place)
            edits = tuple(
                build_request(verb, (plural, RBAC, ""), name, place) for verb in _EDIT
            )
            actors = holders & self.graph.find_allowed(escalate)
            actors &= self.graph.find_allowed_any(edits)
            if actors:
                via = f"escalate {plural}"
                target = self.hold_namespace(scope)
                yield Edge(actors, target, via, needs=((escalate,), edits))
            if kind == "ClusterRole":
                yield from self._compile_aggregation(scope, name, holders)

    def _compile_aggregation(
        self, scope: str, name: str, holders: int
    ) -> Iterator[Edge]:
        """Yield the step of a new role whose label an aggregated role selects."""
        role = self.index.roles.get(("", name))
        if role is None or not role.aggregation:
            return
        kind = ("clusterroles", RBAC, "")
        escalate = build_request("escalate", kind)
        create = build_request("create", kind)
        actors = holders & self.graph.find_allowed(escalate)
        actors &= self.graph.find_allowed(create)
        if actors:
            target = self.hold_namespace(scope)
            via = "create clusterroles with an aggregation label"
            yield Edge(actors, target, via, needs=((create,), (escalate,)))
