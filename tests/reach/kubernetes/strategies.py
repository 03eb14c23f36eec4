"""Random small clusters: roles, bindings, service accounts and pods."""

import random
from collections.abc import Sequence

from answerable.reach.kubernetes.catalogue import (
    Cluster,
    Container,
    LabelRequirement,
    PolicyRule,
    RbacBinding,
    RbacRole,
    RbacSubject,
    ServiceAccount,
    Workload,
)
from tests.reach.kubernetes.manifests import RBAC_KINDS
from tests.reference.kubernetes.rbac import RBAC, Call

NAMESPACES = ("apps", "sys")
ACCOUNTS = ("bot", "admin")
USERS = ("ana", "bob")
GROUPS = (
    "ops",
    "system:serviceaccounts",
    "system:serviceaccounts:apps",
    "system:authenticated",
    "system:masters",
)
VERBS = ("get", "list", "create", "update", "impersonate", "bind", "escalate", "*")
RESOURCES = (
    "pods",
    "pods/exec",
    "secrets",
    "serviceaccounts",
    "serviceaccounts/token",
    "users",
    "nodes",
    "clusterroles",
    "clusterrolebindings",
    "roles",
    "rolebindings",
    "*/exec",
    "*",
)
NAMES = ("web", "bot", "ana", "r0")
URLS = ("/metrics", "/metrics/*", "*")
CALLS = (
    Call("get", "secrets", namespace="apps"),
    Call("list", "secrets", namespace="sys"),
    Call("list", "secrets"),
    Call("get", "secrets", name="web", namespace="apps"),
    Call("list", "pods", name="web", namespace="apps"),
    Call("create", "pods", name="web", namespace="apps"),
    Call("create", "pods", "", "exec", "web", "apps"),
    Call("get", "nodes", name="web"),
    Call("escalate", "clusterroles", RBAC),
    Call("get", url="/metrics"),
    Call("get", url="/metrics/a"),
)


def seeded(seed: int) -> random.Random:
    """Return a generator of repeatable cases."""
    return random.Random(seed)  # noqa: S311 - cases, not keys


def some(rng: random.Random, values: Sequence[str], most: int = 2) -> tuple[str, ...]:
    """Return one or a few of some values."""
    return tuple(rng.sample(values, rng.randint(1, most)))


# Rules that together give a step.
STEP_PERMISSIONS = (
    (PolicyRule(("impersonate",), ("",), ("serviceaccounts",)),),
    (PolicyRule(("create",), ("",), ("serviceaccounts/token",)),),
    (PolicyRule(("create",), ("",), ("pods",)),),
    (
        PolicyRule(("create",), (RBAC,), ("clusterrolebindings", "rolebindings")),
        PolicyRule(("bind",), (RBAC,), ("clusterroles",)),
    ),
    (PolicyRule(("escalate", "update"), (RBAC,), ("clusterroles", "roles")),),
)


def random_rules(rng: random.Random) -> tuple[PolicyRule, ...]:
    """Return the rules of a role; of a step at times."""
    if rng.random() < 0.35:
        return rng.choice(STEP_PERMISSIONS)
    return tuple(random_rule(rng) for _ in range(rng.randint(1, 2)))


def random_rule(rng: random.Random) -> PolicyRule:
    """Return a rule about resources, or about URLs."""
    if rng.random() < 0.15:
        return PolicyRule(some(rng, VERBS), non_resource_urls=some(rng, URLS))
    return PolicyRule(
        some(rng, VERBS),
        some(rng, ("", "", RBAC, "*")),
        some(rng, RESOURCES, 3),
        some(rng, NAMES) if rng.random() < 0.25 else (),
    )


def random_cluster(rng: random.Random) -> Cluster:
    """Return a cluster with a handful of roles and bindings."""
    roles = [
        RbacRole(
            f"r{n}",
            rng.choice(("", "", *NAMESPACES)),
            random_rules(rng),
            labels=(("into", rng.choice("abc")),),
        )
        for n in range(5)
    ]
    for n, name in enumerate(("wide", "wider")):
        label = LabelRequirement("into", "In", ("ab"[n],))
        mine = (("into", "b"),) if not n else ()
        roles.append(
            RbacRole(name, "", (), ((label,),), labels=mine, from_manifest=True)
        )
    everything = PolicyRule(("*",), ("*",), ("*",))
    roles.append(RbacRole("cluster-admin", "", (everything,)))
    names = [role.name for role in roles[:-1]] + ["gone"]
    bindings = [
        RbacBinding(
            f"b{n}",
            rng.choice(("", *NAMESPACES)),
            rng.choice(("ClusterRole", "ClusterRole", "Role")),
            rng.choice(names),
            tuple(random_subject(rng) for _ in range(rng.randint(1, 2))),
        )
        for n in range(rng.randint(1, 5))
    ]
    return Cluster(
        "prod",
        version="v1.35.0",
        collected=(*RBAC_KINDS, "deployments", "daemonsets", "statefulsets"),
        roles=tuple(roles),
        bindings=tuple(bindings),
        service_accounts=tuple(
            ServiceAccount(namespace, name)
            for namespace in NAMESPACES
            for name in ACCOUNTS
        ),
        workloads=(
            Workload("Pod", "apps", "web", "admin", containers=(Container("c"),)),
        ),
    )


def random_subject(rng: random.Random) -> RbacSubject:
    """Return a subject of a binding."""
    kind = rng.choice(("User", "Group", "ServiceAccount", "ServiceAccount"))
    if kind == "User":
        return RbacSubject(kind, rng.choice(USERS))
    if kind == "Group":
        return RbacSubject(kind, rng.choice(GROUPS))
    return RbacSubject(kind, rng.choice(ACCOUNTS), rng.choice(("", *NAMESPACES)))
