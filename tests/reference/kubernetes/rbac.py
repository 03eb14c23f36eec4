"""RBAC as its documentation says it, slowly: every binding is read for every question.

Written from https://kubernetes.io/docs/reference/access-authn-authz/rbac/ and
https://kubernetes.io/docs/concepts/security/rbac-good-practices/, without the engine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.reach.kubernetes.catalogue import (
    Cluster,
    PolicyRule,
    RbacBinding,
    RbacRole,
    RbacSubject,
)


@dataclass(frozen=True)
class Who:
    """User name and groups of a request."""

    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """Request: what `kubectl auth can-i` asks."""

    verb: str
    resource: str = ""
    group: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    url: str = ""


@dataclass(frozen=True)
class Gained(Who):
    """Permissions that a step gave, apart from those of any user.

    Attributes:
        namespace: Where they hold; empty for the whole cluster.
        rules: What they allow.
    """

    namespace: str = ""
    rules: tuple[PolicyRule, ...] = ()


def gained(namespace: str, *rules: PolicyRule) -> Gained:
    """Return permissions in a namespace, or in the whole cluster."""
    return Gained("", (), namespace, rules)


EVERYTHING = PolicyRule(("*",), ("*",), ("*",))
MOUNTED = PolicyRule(("get",), ("",), ("secrets", "configmaps"))


def service_account(namespace: str, name: str) -> Who:
    """Return the user name and groups of a service account."""
    return Who(
        f"system:serviceaccount:{namespace}:{name}",
        (
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        ),
    )


def user(name: str) -> Who:
    """Return a user whose authenticator gives no group."""
    return Who(name, ("system:authenticated",))


def rules_of_role(cluster: Cluster, role: RbacRole) -> list[PolicyRule]:
    """Return the rules of a role; of an aggregated one, those of the selected roles."""
    if not role.aggregation:
        return list(role.rules)
    rules: list[PolicyRule] = []
    reached = [role]
    for each in reached:
        for other in cluster.roles:
            if other.namespace or other in reached:
                continue
            if selects(each, other):
                reached.append(other)
    for each in reached:
        if not each.aggregation:
            rules += each.rules
    return rules


def selects(role: RbacRole, other: RbacRole) -> bool:
    """Return whether one of a role's selectors has all its labels on another role."""
    labels = dict(other.labels)
    for selector in role.aggregation:
        if all(
            labels.get(each.key) in each.values and each.key in labels
            for each in selector
        ):
            return True
    return False


def find_role(cluster: Cluster, binding: RbacBinding) -> RbacRole | None:
    """Find the role that a binding refers to."""
    if binding.role_kind == "ClusterRole":
        namespace = ""
    elif binding.namespace:
        namespace = binding.namespace
    else:
        return None
    for role in cluster.roles:
        if role.name == binding.role and role.namespace == namespace:
            return role
    return None


def is_subject(who: Who, subject: RbacSubject, namespace: str) -> bool:
    """Return whether a subject of a binding in a namespace is the requester."""
    if subject.kind == "User":
        return who.name == subject.name
    if subject.kind == "Group":
        return subject.name in who.groups
    place = subject.namespace or namespace
    return bool(place) and who.name == f"system:serviceaccount:{place}:{subject.name}"


def rules_for(cluster: Cluster, who: Who, namespace: str) -> Iterator[PolicyRule]:
    """Yield the rules that apply to a requester in a namespace, or in cluster scope."""
    for binding in cluster.bindings:
        if binding.namespace not in ("", namespace):
            continue
        if not any(
            is_subject(who, each, binding.namespace) for each in binding.subjects
        ):
            continue
        role = find_role(cluster, binding)
        if role is not None:
            yield from rules_of_role(cluster, role)


def is_url_covered(pattern: str, url: str) -> bool:
    """Return whether a URL is the pattern, or begins as one that ends in `*`."""
    if pattern[-1:] == "*":
        return url[: len(pattern) - 1] == pattern[:-1]
    return url == pattern


def rule_allows(rule: PolicyRule, call: Call) -> bool:
    """Return whether one rule allows a call."""
    if "*" not in rule.verbs and call.verb not in rule.verbs:
        return False
    if call.url:
        return any(is_url_covered(url, call.url) for url in rule.non_resource_urls)
    if "*" not in rule.api_groups and call.group not in rule.api_groups:
        return False
    if rule.resource_names and call.name not in rule.resource_names:
        return False
    wanted = call.resource + (f"/{call.subresource}" if call.subresource else "")
    for resource in rule.resources:
        if resource in ("*", wanted):
            return True
        if call.subresource and resource == f"*/{call.subresource}":
            return True
    return False


def may(cluster: Cluster, who: Who, call: Call) -> bool:
    """Return whether a requester may make a call itself."""
    if "system:masters" in who.groups:
        return True
    if call.url:
        held = who.rules if isinstance(who, Gained) and not who.namespace else ()
        rules = (*rules_for(cluster, who, ""), *held)
        return any(rule_allows(rule, call) for rule in rules)
    if call.verb in ("create", "deletecollection") and not call.subresource:
        call = Call(call.verb, call.resource, call.group, namespace=call.namespace)
    namespace = call.namespace
    if call.resource == "namespaces":
        namespace = call.name
    if isinstance(who, Gained):
        in_scope = who.namespace in ("", namespace)
        return in_scope and any(rule_allows(rule, call) for rule in who.rules)
    return any(rule_allows(rule, call) for rule in rules_for(cluster, who, namespace))


MASTERS = Who("anybody", ("system:masters", "system:authenticated"))


def steps(cluster: Cluster, who: Who) -> Iterator[Who]:
    """Yield those that a requester can act as by one unconditional step."""
    accounts = [(each.namespace, each.name) for each in cluster.service_accounts]
    users = [
        subject.name
        for binding in cluster.bindings
        for subject in binding.subjects
        if subject.kind == "User"
    ]
    for namespace, name in accounts:
        act = Call("impersonate", "serviceaccounts", "", "", name, namespace)
        token = Call("create", "serviceaccounts", "", "token", name, namespace)
        pod = Call("create", "pods", namespace=namespace)
        secret = Call("create", "secrets", namespace=namespace)
        reads = [Call(v, "secrets", namespace=namespace) for v in ("get", "list")]
        filled = may(cluster, who, secret) and any(may(cluster, who, r) for r in reads)
        if filled or any(may(cluster, who, each) for each in (act, token, pod)):
            yield service_account(namespace, name)
    for name in users:
        if may(cluster, who, Call("impersonate", "users", name=name)):
            yield user(name)
    yield from impersonated_groups(cluster, who)
    for pod_object in cluster.workloads:
        place, name = pod_object.namespace, pod_object.name
        calls = [
            Call("create", "pods", "", "exec", name, place),
            Call("update", "pods", name=name, namespace=place),
            Call("patch", "pods", name=name, namespace=place),
        ]
        if any(may(cluster, who, call) for call in calls):
            yield service_account(pod_object.namespace, pod_object.service_account)
    places = {"", *(each.namespace for each in cluster.service_accounts)}
    for namespace in sorted(places):
        if namespace and may(cluster, who, Call("create", "pods", namespace=namespace)):
            yield gained(namespace, MOUNTED)
        yield from roles_to_bind(cluster, who, namespace)
        if may_escalate(cluster, who, namespace):
            yield gained(namespace, EVERYTHING) if namespace else MASTERS


RBAC = "rbac.authorization.k8s.io"


def impersonated_groups(cluster: Cluster, who: Who) -> Iterator[Who]:
    """Yield the groups that a requester may impersonate, with some user as it must."""
    names = {
        name for role in cluster.roles for r in role.rules for name in r.resource_names
    }
    places = {each.namespace for each in cluster.service_accounts}
    some_user = any(
        may(cluster, who, Call("impersonate", "users", name=name))
        or any(
            may(
                cluster,
                who,
                Call("impersonate", "serviceaccounts", "", "", name, place),
            )
            for place in places
        )
        for name in ("", *names)
    )
    groups = {
        subject.name
        for binding in cluster.bindings
        for subject in binding.subjects
        if subject.kind == "Group"
    }
    for group in sorted({*groups, "system:masters"}) if some_user else ():
        if may(cluster, who, Call("impersonate", "groups", name=group)):
            more = ("system:serviceaccounts",) if ":serviceaccounts:" in group else ()
            yield Who("anybody", (group, *more, "system:authenticated"))


def roles_to_bind(cluster: Cluster, who: Who, namespace: str) -> Iterator[Who]:
    """Yield what a requester gains by a new binding to itself in a scope."""
    kind = "rolebindings" if namespace else "clusterrolebindings"
    if not may(cluster, who, Call("create", kind, RBAC, namespace=namespace)):
        return
    for role in cluster.roles:
        if role.namespace not in ("", namespace):
            continue
        plural = "roles" if role.namespace else "clusterroles"
        bind = Call("bind", plural, RBAC, name=role.name, namespace=namespace)
        if not may(cluster, who, bind):
            continue
        yield gained(namespace, *rules_of_role(cluster, role))
        # Every cluster has the role `cluster-admin`; it allows URLs too.
        if role.name == "cluster-admin" and not namespace:
            yield MASTERS


def may_escalate(cluster: Cluster, who: Who, scope: str) -> bool:
    """Return whether a requester may fill a role that it has in a scope."""
    for binding in cluster.bindings:
        if binding.namespace != scope:
            continue
        if binding.role_kind == "Role" and not scope:
            continue
        if not any(is_subject(who, each, scope) for each in binding.subjects):
            continue
        plural = "roles" if binding.role_kind == "Role" else "clusterroles"
        place = scope if plural == "roles" else ""
        calls = [
            Call(verb, plural, RBAC, name=binding.role, namespace=place)
            for verb in ("escalate", "update", "patch")
        ]
        escalate, update, patch = (may(cluster, who, call) for call in calls)
        if escalate and (update or patch):
            return True
        if _may_add_aggregated_rules(cluster, who, binding):
            return True
    return False


def _may_add_aggregated_rules(cluster: Cluster, who: Who, binding: RbacBinding) -> bool:
    """Return whether a new role with any rules may be aggregated into a bound one."""
    role = find_role(cluster, binding)
    if role is None or not role.aggregation:
        return False
    create = Call("create", "clusterroles", RBAC)
    escalate = Call("escalate", "clusterroles", RBAC)
    return may(cluster, who, create) and may(cluster, who, escalate)


def may_after_steps(cluster: Cluster, who: Who, call: Call) -> bool:
    """Return whether a requester may make a call itself or after unconditional steps."""
    reached = [who]
    for each in reached:
        if may(cluster, each, call):
            return True
        reached += [other for other in steps(cluster, each) if other not in reached]
    return False
