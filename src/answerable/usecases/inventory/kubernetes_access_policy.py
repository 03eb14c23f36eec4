"""Render the ClusterRole that a live scan of Kubernetes needs.

It is built from the permissions that the connector declares. `list secrets` is not among
them: it lets its holder read every value
(https://kubernetes.io/docs/concepts/security/rbac-good-practices/). The file
`deploy/kubernetes/read-role.yaml` is its output.
"""

from collections import defaultdict
from collections.abc import Sequence

from answerable.connectors.kubernetes.declaration import (
    DECLARATION,
    ISSUER_PATH,
    LISTED_KINDS,
    VERSION_PATH,
)
from answerable.connectors.kubernetes.kinds import AWS_AUTH
from answerable.model.errors import UsageError

FORM = "clusterrole"
_NAME = "answerable-read"

_DOCUMENT = """\
# Read-only access of `answerable scan k8s:`. Bind it to the identity that scans:
#   kubectl create clusterrolebinding {name} --clusterrole={name} --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {name}
rules:
{rules}"""
_LIST_RULE = """\
  - apiGroups: ["{group}"]
    resources: [{resources}]
    verbs: ["list"]
"""
_OTHER_RULES = """\
  - apiGroups: [""]
    resources: ["configmaps"]
    resourceNames: ["{aws_auth}"]
    verbs: ["get"]
  - nonResourceURLs: [{urls}]
    verbs: ["get"]
"""


def render_cluster_role(source_names: Sequence[str]) -> str:
    """Render the ClusterRole of the scanning identity as YAML.

    Raises:
        UsageError: Another source than `k8s` is named.
    """
    if list(source_names) != [DECLARATION.name]:
        raise UsageError(
            f"--policy {FORM} is for a live cluster "
            f"(got {', '.join(source_names) or 'no source'})",
            f"name the cluster source: answerable where --policy {FORM} "
            f"{DECLARATION.name}:",
        )
    groups: dict[str, list[str]] = defaultdict(list)
    for kind in LISTED_KINDS:
        groups[kind.group].append(kind.plural)
    rules = "".join(
        _LIST_RULE.format(group=group, resources=_quote_words(plurals))
        for group, plurals in groups.items()
    )
    custom = {f"/apis/{each.group}" for each in LISTED_KINDS if each.optional}
    urls = _quote_words((VERSION_PATH, ISSUER_PATH, *sorted(custom)))
    rules += _OTHER_RULES.format(aws_auth=AWS_AUTH, urls=urls)
    return _DOCUMENT.format(name=_NAME, rules=rules)


def _quote_words(words: Sequence[str]) -> str:
    """Quote words, separated by commas."""
    return ", ".join(f'"{each}"' for each in words)
