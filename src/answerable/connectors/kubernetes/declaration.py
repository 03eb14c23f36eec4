"""Declare the Kubernetes connector: its name, location and coverage."""

from answerable.connectors.kubernetes.kinds import (
    EKS_KINDS,
    KINDS,
    build_coverage_word,
)
from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

PLATFORM = "kubernetes"

DECLARATION = ConnectorDeclaration(
    name="k8s",
    gives="inventory",
    location="FILE or DIR[,FILE...][,cluster=NAME][,namespace=NAME]",
    about="service accounts, RBAC, workloads, agents and cloud identities of a cluster",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE, or DIR/**/*.json, *.yaml, *.yml: answers of `kubectl get ... -o json|yaml`, "
        "manifests, rendered charts, answers of `aws eks describe-...`",
    ),
    permissions=(),
    collects=tuple(
        build_coverage_word(word)
        for word in (*(each.plural for each in KINDS), *EKS_KINDS)
    ),
    location_options=("cluster", "namespace"),
)
