"""Match a request of the Kubernetes API against a rule of a role.

Sources: kubernetes plugin/pkg/auth/authorizer/rbac/rbac.go (RuleAllows) and
pkg/apis/rbac/v1/evaluation_helpers.go (VerbMatches, APIGroupMatches, ResourceMatches,
ResourceNameMatches, NonResourceURLMatches).
"""

from dataclasses import dataclass

from answerable.reach.kubernetes.catalogue import PolicyRule

ALL = "*"
RBAC_GROUP = "rbac.authorization.k8s.io"
_COLLECTION_VERBS = ("create", "deletecollection")


@dataclass(frozen=True, slots=True)
class KubernetesRequest:
    """Request as the API server authorizes it.

    Attributes:
        group: API group; empty for the core group.
        name: Name of the object; empty where the request names none.
        namespace: Namespace; empty for cluster scope and for every namespace.
        url: Path of a non-resource request, else empty.
    """

    verb: str
    resource: str = ""
    group: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    url: str = ""

    @property
    def combined_resource(self) -> str:
        """Resource with its subresource, as rules name it."""
        if self.subresource:
            return f"{self.resource}/{self.subresource}"
        return self.resource


def build_request(
    verb: str,
    kind: tuple[str, str, str],
    name: str = "",
    namespace: str = "",
) -> KubernetesRequest:
    """Build a resource request as the API server derives it from a URL.

    A create of an object and a deletecollection carry no name. A request for one
    namespace carries it as its namespace too.

    Source: kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go,
    NewRequestInfo

    Args:
        kind: Resource, API group and subresource.
    """
    resource, group, subresource = kind
    if verb in _COLLECTION_VERBS and not subresource:
        name = ""
    if resource == "namespaces" and not group:
        namespace = name
    return KubernetesRequest(verb, resource, group, subresource, name, namespace)


class RuleMatcher:
    """Rule of a role, prepared for matching."""

    __slots__ = ("_groups", "_names", "_resources", "_urls", "_verbs", "rule")

    def __init__(self, rule: PolicyRule) -> None:
        self.rule = rule
        self._verbs = frozenset(rule.verbs)
        self._groups = frozenset(rule.api_groups)
        self._resources = frozenset(rule.resources)
        self._names = frozenset(rule.resource_names)
        self._urls = rule.non_resource_urls

    def allows_request(self, request: KubernetesRequest) -> bool:
        """Return whether the rule allows a request."""
        if not self.matches_verb(request.verb):
            return False
        if request.url:
            return self._matches_url(request.url)
        return (
            self.matches_resource(request)
            and self._matches_group(request.group)
            and self.matches_name(request.name)
        )

    def allows_some_name(self, request: KubernetesRequest) -> bool:
        """Return whether the rule allows a request for some names alone."""
        return (
            bool(self._names)
            and not request.url
            and self.matches_verb(request.verb)
            and self.matches_resource(request)
            and self._matches_group(request.group)
        )

    def matches_verb(self, verb: str) -> bool:
        """Return whether the rule lists a verb, or all."""
        return verb in self._verbs or ALL in self._verbs

    def _matches_group(self, group: str) -> bool:
        """Return whether the rule lists an API group, or all."""
        return group in self._groups or ALL in self._groups

    def matches_resource(self, request: KubernetesRequest) -> bool:
        """Return whether the rule lists a resource: all, exactly, or `*/SUBRESOURCE`."""
        listed = self._resources
        return (
            request.combined_resource in listed
            or ALL in listed
            or bool(request.subresource and f"*/{request.subresource}" in listed)
        )

    def matches_name(self, name: str) -> bool:
        """Return whether the rule lists a name, or no name at all."""
        return not self._names or name in self._names

    def _matches_url(self, path: str) -> bool:
        """Return whether the rule lists a URL: all, exactly, or with a trailing `*`."""
        return any(
            url in (ALL, path)
            or (url.endswith(ALL) and path.startswith(url.rstrip(ALL)))
            for url in self._urls
        )
