"""Index one cluster: its identities, and the grants of each in every scope."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from answerable.model.kubernetes_ids import NODE_PREFIX, KubernetesSubject
from answerable.reach.kubernetes.access_policies import ACCESS_POLICIES
from answerable.reach.kubernetes.aggregation import compute_aggregated_rules
from answerable.reach.kubernetes.catalogue import (
    AccessEntry,
    Cluster,
    PolicyRule,
    RbacBinding,
    RbacRole,
)
from answerable.reach.kubernetes.cluster_merging import (
    KindsByNamespace,
    merge_collected_kinds,
    merge_parts,
)
from answerable.reach.kubernetes.rule_matching import (
    ALL,
    KubernetesRequest,
    RuleMatcher,
)
from answerable.reach.kubernetes.step_rules import NODE_AUTHORIZER_RULES
from answerable.reach.kubernetes.subject_keys import (
    ANONYMOUS,
    AUTHENTICATED,
    MASTERS,
    NODES,
    SERVICE_ACCOUNTS,
    UNAUTHENTICATED,
    SubjectKey,
    build_subject_key,
    build_subject_keys,
    iterate_named_identities,
)

EVERYTHING = (
    PolicyRule((ALL,), (ALL,), (ALL,)),
    PolicyRule((ALL,), non_resource_urls=(ALL,)),
)
NODE_RULES = tuple(
    PolicyRule(verbs, (group,), resources)
    for verbs, group, resources in NODE_AUTHORIZER_RULES
)


@dataclass(frozen=True, slots=True, eq=False)
class RuleGrant:
    """Rule that subjects have in one scope.

    Attributes:
        source: Binding or policy that grants it, e.g. `RoleBinding apps/deployer`.
        role: Role with the rule, e.g. `ClusterRole edit`; empty for none.
        number: Number of the rule in the role, from 1.
        subjects: Keys of the subjects.
    """

    source: str
    role: str
    number: int
    matcher: RuleMatcher
    subjects: frozenset[SubjectKey]


@dataclass(slots=True)
class GrantScope:
    """Grants of one namespace, or of cluster scope, by resource."""

    grants: list[RuleGrant] = field(default_factory=list)
    by_resource: dict[str, list[RuleGrant]] = field(default_factory=dict)
    with_urls: list[RuleGrant] = field(default_factory=list)

    def add(self, grant: RuleGrant) -> None:
        """Add a grant."""
        self.grants.append(grant)
        rule = grant.matcher.rule
        for resource in dict.fromkeys(rule.resources):
            self.by_resource.setdefault(resource, []).append(grant)
        if rule.non_resource_urls:
            self.with_urls.append(grant)

    def iterate_candidates(self, request: KubernetesRequest) -> Iterator[RuleGrant]:
        """Yield the grants whose resources may match; one may come twice."""
        if request.url:
            yield from self.with_urls
            return
        yield from self.by_resource.get(request.combined_resource, ())
        yield from self.by_resource.get(ALL, ())
        if request.subresource:
            yield from self.by_resource.get(f"*/{request.subresource}", ())


class ClusterIndex:
    """Cluster with its grants by scope.

    Args:
        parts: Collected parts of the cluster, the newest first.
    """

    def __init__(self, parts: Sequence[Cluster]) -> None:
        self.cluster: Cluster = merge_parts(parts)
        self.collected: KindsByNamespace = merge_collected_kinds(parts)
        self.name = self.cluster.name
        roles = compute_aggregated_rules(self.cluster.roles)
        self.roles: dict[tuple[str, str], RbacRole] = {
            (role.namespace, role.name): role for role in roles
        }
        self.dangling: dict[str, list[RbacBinding]] = {}
        self.scopes: dict[str, GrantScope] = {"": GrantScope()}
        self.entries: tuple[AccessEntry, ...] = tuple(_select_entries(self.cluster))
        self.unknown_policies: dict[str, list[str]] = {}
        for binding in self.cluster.bindings:
            self._add_binding(binding)
        for entry in self.entries:
            self._add_access_policies(entry)
        self._add_group_rules(f"group {MASTERS}", MASTERS, EVERYTHING)
        self._add_group_rules("Node authorizer", NODES, NODE_RULES)

    def _add_group_rules(
        self, source: str, group: str, rules: Sequence[PolicyRule]
    ) -> None:
        """Add rules that a group has without a binding."""
        subjects = frozenset({("group", group)})
        for number, rule in enumerate(rules, 1):
            matcher = self._get_matcher(rule)
            self.scopes[""].add(RuleGrant(source, "", number, matcher, subjects))

    def _add_binding(self, binding: RbacBinding) -> None:
        """Add the grants of a binding; none if its role does not exist."""
        role = self.get_bound_role(binding)
        if role is None:
            self.dangling.setdefault(binding.namespace, []).append(binding)
            return
        keys = (build_subject_key(each, binding) for each in binding.subjects)
        subjects = frozenset(key for key in keys if key is not None)
        scope = self.scopes.setdefault(binding.namespace, GrantScope())
        for number, rule in enumerate(role.rules, 1):
            scope.add(
                RuleGrant(
                    name_binding(binding),
                    name_role(role),
                    number,
                    self._get_matcher(rule),
                    subjects,
                )
            )

    def _add_access_policies(self, entry: AccessEntry) -> None:
        """Add the rules of the access policies of an EKS access entry."""
        for policy, where in entry.policies:
            rules = ACCESS_POLICIES.get(policy)
            if rules is None:
                self.unknown_policies.setdefault(entry.username, []).append(policy)
                continue
            scope = self.scopes.setdefault(
                "" if where == "cluster" else where, GrantScope()
            )
            for number, rule in enumerate(rules, 1):
                scope.add(
                    RuleGrant(
                        f"access entry {entry.principal}",
                        f"access policy {policy}",
                        number,
                        self._get_matcher(rule),
                        frozenset({("user", entry.username)}),
                    )
                )

    @cached_property
    def _rule_matchers(self) -> dict[PolicyRule, RuleMatcher]:
        return {}

    def _get_matcher(self, rule: PolicyRule) -> RuleMatcher:
        """Return the matcher of a rule, one for equal rules."""
        found = self._rule_matchers.get(rule)
        if found is None:
            found = self._rule_matchers[rule] = RuleMatcher(rule)
        return found

    def get_bound_role(self, binding: RbacBinding) -> RbacRole | None:
        """Return the role of a binding; None where the cluster has no such role.

        Source: kubernetes pkg/registry/rbac/validation/rule.go, GetRoleReferenceRules
        """
        if binding.role_kind == "Role":
            if not binding.namespace:
                return None
            return self.roles.get((binding.namespace, binding.role))
        if binding.role_kind == "ClusterRole":
            return self.roles.get(("", binding.role))
        return None

    def iterate_candidates(self, request: KubernetesRequest) -> Iterator[RuleGrant]:
        """Yield the grants of the scopes of a request whose resources may match."""
        yield from self.scopes[""].iterate_candidates(request)
        if request.namespace and not request.url:
            scope = self.scopes.get(request.namespace)
            if scope is not None:
                yield from scope.iterate_candidates(request)

    @cached_property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces that any object of the cluster is in, sorted."""
        cluster = self.cluster
        found = {each.name for each in cluster.namespaces}
        for objects in (
            cluster.roles,
            cluster.bindings,
            cluster.service_accounts,
            cluster.workloads,
            cluster.secrets,
            cluster.pod_identities,
        ):
            found |= {each.namespace for each in objects}
        for subject in self.identities:
            found.add(subject.namespace)
        return tuple(sorted(found - {"", ALL}))

    @cached_property
    def service_accounts(self) -> Mapping[KubernetesSubject, None]:
        """Collected service accounts."""
        return {
            KubernetesSubject(
                self.name, "serviceaccount", each.name, each.namespace
            ): None
            for each in self.cluster.service_accounts
        }

    @cached_property
    def identities(self) -> tuple[KubernetesSubject, ...]:
        """Identities that objects of the cluster are, or name."""
        return tuple(
            dict.fromkeys(iterate_named_identities(self.cluster, self.entries))
        )

    def list_implied_identities(self) -> Iterator[KubernetesSubject]:
        """Yield the identities that a cluster has although no object names them.

        Groups stand for users, service accounts and nodes that are not known by name.
        """
        for group in (AUTHENTICATED, UNAUTHENTICATED, SERVICE_ACCOUNTS, NODES, MASTERS):
            yield KubernetesSubject(self.name, "group", group)
        yield KubernetesSubject(self.name, "user", ANONYMOUS)
        for namespace in self.namespaces:
            group = f"{SERVICE_ACCOUNTS}:{namespace}"
            yield KubernetesSubject(self.name, "group", group)
            if not self.collected.includes("serviceaccounts", namespace):
                yield KubernetesSubject(
                    self.name, "serviceaccount", "default", namespace
                )

    @cached_property
    def groups_of_users(self) -> Mapping[str, frozenset[str]]:
        """Groups that access entries and certificates state, by user name."""
        found: dict[str, frozenset[str]] = {}
        issued = (each for each in self.cluster.signing_requests if each.issued)
        stated = [(each.username, each.groups) for each in self.entries]
        stated += [(each.subject, each.subject_groups) for each in issued]
        for username, groups in stated:
            found[username] = found.get(username, frozenset()) | set(groups)
        return found

    def list_subject_keys(self, subject: KubernetesSubject) -> frozenset[SubjectKey]:
        """List the user name and the groups that a request of a subject carries."""
        return build_subject_keys(
            subject, self.groups_of_users.get(subject.username, frozenset())
        )

    def are_groups_known(self, subject: KubernetesSubject) -> bool:
        """Return whether all groups of a subject are known."""
        return (
            subject.kind != "user"
            or subject.name == ANONYMOUS
            or subject.name.startswith(NODE_PREFIX)
            or any(entry.username == subject.name for entry in self.entries)
        )


def _select_entries(cluster: Cluster) -> Iterator[AccessEntry]:
    """Yield access entries, and the rows of aws-auth that no entry replaces."""
    own = {each.principal for each in cluster.access_entries if not each.aws_auth}
    for each in cluster.access_entries:
        if not each.aws_auth or each.principal not in own:
            yield each


def name_binding(binding: RbacBinding) -> str:
    """Name a binding as answers print it."""
    if binding.namespace:
        return f"RoleBinding {binding.namespace}/{binding.name}"
    return f"ClusterRoleBinding {binding.name}"


def name_role(role: RbacRole) -> str:
    """Name a role as answers print it."""
    if role.namespace:
        return f"Role {role.namespace}/{role.name}"
    return f"ClusterRole {role.name}"
