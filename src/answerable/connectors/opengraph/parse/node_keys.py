"""Our ids and kinds of foreign nodes."""

import re
from collections.abc import Callable, Mapping

from answerable.model.foreign_graph import (
    ForeignNode,
    Properties,
    build_foreign_id,
)
from answerable.model.github_ids import GitHubResource, GitHubSubject
from answerable.model.kubernetes_ids import KubernetesSubject, normalise_cluster_name

# Last words of kinds that name a principal or its credential: `AZServicePrincipal`.
_PRINCIPAL_WORDS = frozenset(
    str.split(
        "User Principal App Application Account Group Team Identity Client Token Key "
        "Installation Integration Agent Bot"
    )
)
KUBEHOUND_PREFIX = "KubeHound_"
_WORD = re.compile(r"[A-Z][a-z0-9]*")
_ARN_PROPERTIES = ("arn", "objectid")


def _get_text_property(properties: Properties, name: str) -> str:
    """Return a property as text; empty where there is none."""
    value = properties.get(name)
    return value if isinstance(value, str) else ""


def _build_github_user(properties: Properties) -> str:
    login = _get_text_property(properties, "login")
    return str(GitHubSubject("user", login.lower())) if login else ""


def _build_github_team(properties: Properties) -> str:
    slug, organization = (
        _get_text_property(properties, n) for n in ("slug", "environment_name")
    )
    if not slug or not organization:
        return ""
    return str(GitHubSubject("team", slug.lower(), organization.lower()))


def _build_github_organization(properties: Properties) -> str:
    login = _get_text_property(properties, "login")
    return str(GitHubResource(login.lower(), "organization")) if login else ""


def _build_github_repository(properties: Properties) -> str:
    name, organization = (
        _get_text_property(properties, n) for n in ("name", "environment_name")
    )
    if not name or not organization:
        return ""
    return str(GitHubResource(organization.lower(), "repo", name.lower()))


def _build_github_branch(properties: Properties) -> str:
    organization = _get_text_property(properties, "environment_name").lower()
    repository = _get_text_property(properties, "repository_name").lower()
    branch = _get_text_property(properties, "short_name")
    if not organization or not repository or not branch:
        return ""
    return str(GitHubResource(organization, "branch", repository, branch))


def _build_github_app(properties: Properties) -> str:
    slug = _get_text_property(properties, "slug") or _get_text_property(
        properties, "app_slug"
    )
    return str(GitHubSubject("app", slug.lower())) if slug else ""


def _build_github_token(properties: Properties) -> str:
    organization = _get_text_property(properties, "environment_name").lower()
    number = _get_text_property(properties, "node_id").rpartition("_")[2]
    if not organization or not number.isdecimal():
        return ""
    return str(GitHubSubject("pat", number, organization))


def _build_kubernetes_subject(properties: Properties) -> str:
    """Build the id of a service account, user or group of a cluster.

    OpenHound writes `name` in capitals, and `displayname` as it is.
    """
    cluster = normalise_cluster_name(_get_text_property(properties, "cluster"))
    name = _get_text_property(properties, "displayname")
    kind = _get_text_property(properties, "resource_kind").lower()
    namespace = (
        _get_text_property(properties, "namespace") if kind == "serviceaccount" else ""
    )
    return _build_subject_of_cluster(cluster, kind, name, namespace)


def _build_kubehound_identity(properties: Properties) -> str:
    """Build the id of an identity of KubeHound.

    Source: https://kubehound.io/reference/entities/identity/
    """
    cluster = normalise_cluster_name(_get_text_property(properties, "cluster"))
    kind = _get_text_property(properties, "type").lower()
    namespace = (
        _get_text_property(properties, "namespace") if kind == "serviceaccount" else ""
    )
    return _build_subject_of_cluster(
        cluster, kind, _get_text_property(properties, "name"), namespace
    )


def _build_subject_of_cluster(
    cluster: str, kind: str, name: str, namespace: str
) -> str:
    """Build the id of an identity of a cluster; empty if a part is missing."""
    known = kind in ("user", "group") or (kind == "serviceaccount" and namespace)
    if not cluster or not name or not known:
        return ""
    return str(KubernetesSubject(cluster, kind, name, namespace))


# Source of the kinds and their properties: https://github.com/SpecterOps/GitHound
_BUILDERS: Mapping[str, Callable[[Properties], str]] = {
    "GH_User": _build_github_user,
    "GH_Team": _build_github_team,
    "GH_App": _build_github_app,
    "GH_AppInstallation": _build_github_app,
    "GH_PersonalAccessToken": _build_github_token,
    "GH_Organization": _build_github_organization,
    "GH_Repository": _build_github_repository,
    "GH_Branch": _build_github_branch,
    # https://github.com/d3vzer0/openhound-kubernetes
    "K8s_ServiceAccount": _build_kubernetes_subject,
    "K8s_User": _build_kubernetes_subject,
    "K8s_Group": _build_kubernetes_subject,
    f"{KUBEHOUND_PREFIX}Identity": _build_kubehound_identity,
}


def build_node_key(
    collector: str, node: str, kinds: tuple[str, ...], properties: Properties
) -> str:
    """Build our id of a node: an ARN, the id of a platform, or `graph:COLLECTOR/ID`."""
    arns = (node, *(_get_text_property(properties, name) for name in _ARN_PROPERTIES))
    arn = next((each for each in arns if each.startswith("arn:")), "")
    if arn:
        return arn
    builders = (_BUILDERS[kind] for kind in kinds if kind in _BUILDERS)
    found = next((build(properties) for build in builders), "")
    return found or build_foreign_id(collector, node)


def get_identity_kind(node: ForeignNode) -> str:
    """Return the kind of a principal as the collector has it; empty for other nodes."""
    kind = node.kinds[0]
    words = _WORD.findall(kind)
    return kind if words and words[-1] in _PRINCIPAL_WORDS else ""
