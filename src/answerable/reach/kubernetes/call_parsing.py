"""Parse the verb and the resource of a question in the format of Kubernetes."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches

from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.kubernetes_ids import (
    CLUSTER_SCOPE,
    PREFIX,
    KubernetesResource,
    parse_resource_id,
)
from answerable.reach.kubernetes.cluster_index import ClusterIndex
from answerable.reach.kubernetes.resource_kinds import (
    RESOURCE_KINDS,
    SPECIAL_VERBS,
    STANDARD_VERBS,
    URL_VERBS,
    find_resource_kinds,
    is_namespaced,
)
from answerable.reach.kubernetes.rule_matching import (
    ALL,
    KubernetesRequest,
    build_request,
)

Clusters = Mapping[str, ClusterIndex]
EXAMPLE = (
    "as k8s:CLUSTER/NAMESPACE/secrets/NAME, k8s:CLUSTER/-/nodes, NAMESPACE/pods/exec"
)
# `NAMESPACE/pods/exec` is the subresource of every pod; an id spells it `pods/*/exec`.
_SUBRESOURCES = {
    *(("pods", name) for name in ("attach", "exec", "log", "portforward", "proxy")),
    ("nodes", "proxy"),
    ("pods", "ephemeralcontainers"),
    ("serviceaccounts", "token"),
}
_CONSTRAINED = ("impersonate:", "impersonate-on:")


def parse_verb(clusters: Clusters, text: str, *, url: bool = False) -> str:
    """Parse a verb of the API, or one that a rule of a cluster names.

    Args:
        url: True for the verb of a non-resource URL.

    Raises:
        UsageError: There is no such verb; the hint has the nearest spelling.
    """
    verb = text.lower()
    known = URL_VERBS if url else (*STANDARD_VERBS, *SPECIAL_VERBS)
    if verb in known or verb.startswith(_CONSTRAINED):
        return verb
    for named in _list_named_verbs(clusters):
        if text == named:
            return named
    close = get_close_matches(verb, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    raise UsageError(f"Kubernetes has no verb {text[:80]!r}", hint)


def _list_named_verbs(clusters: Clusters) -> Iterable[str]:
    """List the verbs that rules name."""
    for index in clusters.values():
        for role in index.roles.values():
            for rule in role.rules:
                yield from rule.verbs


def parse_resource(clusters: Clusters, text: str) -> KubernetesResource:
    """Parse a resource: an id, or `NAMESPACE/RESOURCE[.GROUP][/NAME[/SUBRESOURCE]]`.

    Without a cluster it is in the only collected one.

    Raises:
        UsageError: It is no such text, or no such resource is known.
    """
    found = parse_resource_id(text) if text.startswith(PREFIX) else None
    if not text.startswith(PREFIX):
        for cluster in _get_only_cluster(clusters, text):
            found = parse_resource_id(f"{PREFIX}{cluster}/{text.lstrip('/')}")
            if text.startswith("/"):
                found = KubernetesResource(cluster, url=text)
            elif found and (found.resource, found.name) in _SUBRESOURCES:
                found = replace(found, name="", subresource=found.name)
    if found is None:
        raise UsageError(f"not a Kubernetes resource (got {text[:80]!r})", EXAMPLE)
    return normalise_resource(clusters, found)


def _get_only_cluster(clusters: Clusters, text: str) -> tuple[str, ...]:
    """Return the only cluster, or none.

    Raises:
        AmbiguousError: Several clusters were collected.
    """
    plain = text.split("/")
    if len(clusters) > 1 and len(plain) > 1 and _names_resource(plain[1]):
        raise AmbiguousError(
            f"{text[:80]!r} matches resources in several clusters",
            tuple(f"{PREFIX}{name}/{text.lstrip('/')}" for name in clusters),
        )
    return tuple(clusters) if len(clusters) == 1 else ()


def _names_resource(text: str) -> bool:
    """Return whether a text is the name of a built-in resource."""
    return bool(find_resource_kinds(text.partition(".")[0]))


def normalise_resource(
    clusters: Clusters, resource: KubernetesResource
) -> KubernetesResource:
    """Return a resource with its plural name, API group and scope.

    Raises:
        UsageError: Neither the API nor a rule of the cluster has such a resource.
    """
    if resource.url:
        return resource
    if resource.name == ALL:
        resource = replace(resource, name="")
    if resource.resource == ALL:
        return resource
    kinds = [
        each
        for each in find_resource_kinds(resource.resource)
        if each.group == resource.group or not resource.group
    ]
    if kinds:
        resource = replace(resource, resource=kinds[0].name, group=kinds[0].group)
    elif not _is_named_by_rule(clusters, resource):
        raise _build_unknown_resource_error(resource)
    if is_namespaced(resource.resource, resource.group) is False:
        return replace(resource, namespace="")
    if is_namespaced(resource.resource, resource.group) and not resource.namespace:
        return replace(resource, namespace=ALL)
    return resource


def _is_named_by_rule(clusters: Clusters, resource: KubernetesResource) -> bool:
    """Return whether a rule names a resource, or its group is one of an extension."""
    if "." in resource.group:
        return True
    for index in clusters.values():
        for role in index.roles.values():
            for rule in role.rules:
                if resource.group in rule.api_groups and any(
                    each.partition("/")[0] == resource.resource
                    for each in rule.resources
                ):
                    return True
    return False


def _build_unknown_resource_error(resource: KubernetesResource) -> UsageError:
    """Build the error about a resource that is not known, with the nearest one."""
    known = sorted({each.name for each in RESOURCE_KINDS})
    close = get_close_matches(resource.resource.lower(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else EXAMPLE
    return UsageError(
        f"no Kubernetes resource is called {resource.resource[:80]!r}", hint
    )


def build_request_of_call(verb: str, resource: KubernetesResource) -> KubernetesRequest:
    """Build the request of a parsed call; every namespace is cluster scope."""
    if resource.url:
        return KubernetesRequest(verb, url=resource.url)
    namespace = "" if resource.namespace in (ALL, CLUSTER_SCOPE) else resource.namespace
    kind = resource.resource, resource.group, resource.subresource
    return build_request(verb, kind, resource.name, namespace)
