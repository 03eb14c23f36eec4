"""List the grants to outsiders on Google Cloud and Kubernetes."""

from collections.abc import Iterator

import msgspec

from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.posture.facts import EntryGap, PlatformEntry
from answerable.posture.severity import Trigger
from answerable.reach.gcp.catalogue import GoogleCloudEstate
from answerable.reach.kubernetes.catalogue import Cluster, RbacBinding
from answerable.reach.kubernetes.cluster_index import name_binding
from answerable.reach.kubernetes.subject_keys import (
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    build_bound_subject,
)
from answerable.services.posture.google_entries import list_google_entries

PUBLIC, EXTERNAL, WIDE = "public-identity", "external-identity", "wide-oidc-trust"
_ANYONE = {
    UNAUTHENTICATED: ("anyone, without a sign-in,", Trigger.ANONYMOUS),
    ANONYMOUS: ("anyone, without a sign-in,", Trigger.ANONYMOUS),
    AUTHENTICATED: ("every identity that the cluster accepts", Trigger.INSIDER),
}
_GKE = "gke_"
# Bindings that every cluster has; their roles read only the API's own description.
# https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles
_DISCOVERY = frozenset(
    ("system:basic-user", "system:discovery", "system:public-info-viewer")
)
# Platforms with such grants that no scan describes: connectors, rules, missing data.
_NOT_READ = (
    ("azure", ("entra", "azure"), EXTERNAL, "guests and applications of other tenants"),
    ("azure", ("entra", "azure"), WIDE, "federated credentials of applications"),
    ("kubernetes", ("k8s",), EXTERNAL, "the directory of the users in bindings"),
    ("github", ("github",), EXTERNAL, "outside collaborators and apps of others"),
)


def list_platform_entries(
    inventory: Inventory,
) -> Iterator[PlatformEntry | EntryGap]:
    """List the grants, and those that cannot be judged."""
    estates = []
    for each in inventory.facts.catalogues:
        if each.platform == "kubernetes":
            yield from _list_cluster_entries(each)
        elif each.platform == "gcp":
            decoded = msgspec.json.decode(each.body, type=GoogleCloudEstate)
            estates.append((decoded, each.seen))
    yield from list_google_entries(estates)
    scanned = {each.connector for each in inventory.coverage}
    for platform, connectors, rule, missing in _NOT_READ:
        if not scanned.isdisjoint(connectors):
            yield EntryGap(rule, platform, platform, missing)


def _list_cluster_entries(catalogue: PlatformCatalogue) -> Iterator[PlatformEntry]:
    """Yield the bindings of a cluster to the groups of all callers."""
    cluster = msgspec.json.decode(catalogue.body, type=Cluster)
    for binding in cluster.bindings:
        if binding.role_kind == "ClusterRole" and binding.role in _DISCOVERY:
            continue
        for each in binding.subjects:
            subject = build_bound_subject(cluster.name, each, binding)
            if subject is not None and each.kind != "ServiceAccount":
                anyone = _ANYONE.get(each.name)
                if anyone is not None:
                    yield _build_entry(catalogue, binding, str(subject), *anyone)


def _build_entry(
    catalogue: PlatformCatalogue,
    binding: RbacBinding,
    subject: str,
    anyone: str,
    trigger: Trigger,
) -> PlatformEntry:
    """Build the entry of a binding to all callers."""
    if trigger is Trigger.INSIDER and catalogue.place.startswith(_GKE):
        # https://docs.cloud.google.com/kubernetes-engine/docs/best-practices/rbac
        anyone, trigger = "everyone with a Google account", Trigger.OUTSIDER
    name = name_binding(binding)
    return PlatformEntry(
        rule=PUBLIC,
        platform="kubernetes",
        subject=subject,
        grantee=subject,
        title=f"{anyone} has the {binding.role_kind} {binding.role} by {name}",
        trigger=trigger,
        statement=name,
        repair=f"Remove the group or user from the {name}, and name the subjects that "
        "need it.",
        seen=catalogue.seen,
        place=binding.place,
    )
