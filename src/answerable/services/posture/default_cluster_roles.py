"""Resolve bindings of manifests to roles that every cluster has."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.kubernetes.catalogue import Cluster, PolicyRule, RbacRole
from answerable.reach.kubernetes.cluster_index import name_binding
from answerable.reach.kubernetes.platform import PLATFORM

# https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
CLUSTER_ADMIN = RbacRole(
    "cluster-admin",
    "",
    rules=(
        PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",)),
        PolicyRule(verbs=("*",), non_resource_urls=("*",)),
    ),
)


def add_default_cluster_roles(
    inventory: Inventory,
) -> tuple[Inventory, Mapping[str, str]]:
    """Add the role `cluster-admin` to manifests that bind it without stating it.

    Returns:
        The inventory, and the bindings to other roles that the manifests do not state,
        each with a digest of its content.
    """
    unresolved: dict[str, str] = {}
    catalogues = tuple(
        _complete_catalogue(each, unresolved) if each.platform == PLATFORM else each
        for each in inventory.facts.catalogues
    )
    facts = replace(inventory.facts, catalogues=catalogues)
    return replace(inventory, facts=facts), unresolved


def _complete_catalogue(
    catalogue: PlatformCatalogue, unresolved: dict[str, str]
) -> PlatformCatalogue:
    """Return a catalogue with the role that its bindings refer to."""
    cluster = msgspec.json.decode(catalogue.body, type=Cluster)
    stated = {(each.namespace, each.name) for each in cluster.roles}
    missing = False
    for binding in cluster.bindings:
        namespace = binding.namespace if binding.role_kind == "Role" else ""
        if (namespace, binding.role) in stated:
            continue
        if not namespace and binding.role == CLUSTER_ADMIN.name:
            missing = True
            continue
        text = repr((binding.role, binding.subjects))
        name = f"{name_binding(binding)} to {binding.role_kind} {binding.role}"
        unresolved[name] = hashlib.sha256(text.encode()).hexdigest()
    if missing:
        cluster = replace(cluster, roles=(*cluster.roles, CLUSTER_ADMIN))
        return replace(catalogue, body=msgspec.json.encode(cluster).decode())
    return catalogue
