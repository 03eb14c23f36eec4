"""Declare the Kubernetes connector: its name, location and coverage."""

from answerable.connectors.kubernetes.kinds import (
    EKS_KINDS,
    KINDS,
    build_coverage_word,
)
from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

PLATFORM = "kubernetes"
AWS_AUTH_PATH = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
VERSION_PATH = "/version"
ISSUER_PATH = "/.well-known/openid-configuration"
SECRETS = "secrets"
LISTED_KINDS = tuple(each for each in KINDS if not each.metadata_only)

DECLARATION = ConnectorDeclaration(
    name="k8s",
    gives="inventory",
    location="FILE or DIR[,FILE...][,cluster=NAME][,namespace=NAME] "
    "(live if it names no path: [context=NAME][,cluster=NAME][,secrets=metadata])",
    about="service accounts, RBAC, workloads, agents and cloud identities of a cluster",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE, or DIR/**/*.json, *.yaml, *.yml: output of `kubectl get ... -o json|yaml`, "
        "manifests, rendered charts, output of `aws eks describe-...`",
        *(f"GET {each.path}" for each in LISTED_KINDS),
        f"GET {AWS_AUTH_PATH}",
        f"GET {VERSION_PATH}",
        f"GET {ISSUER_PATH}",
    ),
    permissions=(
        *(
            f"list {each.plural}{'.' if each.group else ''}{each.group}"
            for each in LISTED_KINDS
        ),
        "get configmaps/aws-auth",
        f"get {VERSION_PATH}",
        f"get {ISSUER_PATH}",
    ),
    collects=tuple(
        build_coverage_word(word)
        for word in (*(each.plural for each in KINDS), *EKS_KINDS)
    ),
    location_options=("cluster", "namespace", "context", SECRETS),
)
