"""List documented token issuers, and the immutable claims of their workloads.

Names are reused: a repository is renamed and another created under its old name, a
service account is deleted and created again. A rule for one of these issuers must match
an id that is never reused.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from answerable.model.token_claims import ClaimPath, TrustedIssuer

_SERVICE_ACCOUNT = ("kubernetes.io", "serviceaccount", "uid")


@dataclass(frozen=True, slots=True)
class DocumentedIssuer:
    """Documented claims of one kind of issuer.

    Attributes:
        ids: Sets of claims; a rule must match all claims of one set by equality.
        source: URL of the claims' documentation.
    """

    kind: str
    ids: tuple[tuple[ClaimPath, ...], ...]
    source: str


def _make_single_claim_sets(*names: str) -> tuple[tuple[ClaimPath, ...], ...]:
    """Make a set of one top-level claim from each name."""
    return tuple(((name,),) for name in names)


GITHUB = DocumentedIssuer(
    "GitHub Actions",
    _make_single_claim_sets("repository_id", "repository_owner_id"),
    "https://docs.github.com/en/actions/reference/security/oidc",
)
# `sub` is a namespace and a name; the uid is of one service account until it is deleted.
KUBERNETES = DocumentedIssuer(
    "Kubernetes",
    (
        (("sub",), _SERVICE_ACCOUNT),
        (("kubernetes.io", "namespace"), _SERVICE_ACCOUNT),
    ),
    "https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/"
    "#schema-for-service-account-private-claims",
)
GITLAB = DocumentedIssuer(
    "GitLab",
    _make_single_claim_sets("project_id", "namespace_id"),
    "https://docs.gitlab.com/ci/secrets/id_token_authentication/",
)
GOOGLE = DocumentedIssuer(
    "Google",
    _make_single_claim_sets("sub"),  # a number; an `email` can be reassigned
    "https://cloud.google.com/docs/authentication/token-types#id-contents",
)
ENTRA = DocumentedIssuer(
    "Microsoft Entra ID",
    _make_single_claim_sets("oid"),
    "https://learn.microsoft.com/en-us/entra/identity-platform/"
    "access-token-claims-reference",
)
BUILDKITE = DocumentedIssuer(
    "Buildkite",
    _make_single_claim_sets("pipeline_id", "organization_id"),
    "https://buildkite.com/docs/agent/cli/reference/oidc",
)
CIRCLECI = DocumentedIssuer(
    "CircleCI",
    _make_single_claim_sets("oidc.circleci.com/project-id"),
    "https://circleci.com/docs/openid-connect-tokens/",
)
TERRAFORM = DocumentedIssuer(
    "HCP Terraform",
    _make_single_claim_sets(
        "terraform_workspace_id", "terraform_project_id", "terraform_organization_id"
    ),
    "https://developer.hashicorp.com/terraform/cloud-docs/workspaces/"
    "dynamic-provider-credentials/workload-identity-tokens",
)

# Host of the issuer -> what it is.
_HOSTS = {
    "token.actions.githubusercontent.com": GITHUB,
    "gitlab.com": GITLAB,
    "accounts.google.com": GOOGLE,
    "login.microsoftonline.com": ENTRA,
    "sts.windows.net": ENTRA,
    "agent.buildkite.com": BUILDKITE,
    "oidc.circleci.com": CIRCLECI,
    "app.terraform.io": TERRAFORM,
    "container.googleapis.com": KUBERNETES,
}
# Endings of hosts. A cluster's own name for itself, then those of AKS.
_ENDINGS = {
    "kubernetes.default.svc": KUBERNETES,
    "kubernetes.default.svc.cluster.local": KUBERNETES,
    ".oic.prod-aks.azure.com": KUBERNETES,
}
_EKS = ("oidc.eks.", ".amazonaws.com")
_SERVER_PATH = "/_services/token"  # GitHub Enterprise Server


def find_documented_issuer(
    issuer: TrustedIssuer, paths: frozenset[ClaimPath], *, reviewed: bool
) -> DocumentedIssuer | None:
    """Find the documented kind of an issuer; None if it is unknown.

    Args:
        paths: Claims that the rule matches: Kubernetes claims identify a Kubernetes
            issuer at any address.
        reviewed: Whether tokens are checked with a Kubernetes TokenReview.
    """
    parts = urlsplit(issuer.iss)
    if parts.scheme == "spiffe":
        return None  # a path of a trust domain is as lasting as its owner makes it
    host = parts.hostname or ""
    if host in _HOSTS:
        return _HOSTS[host]
    if parts.path.rstrip("/") == _SERVER_PATH:
        return GITHUB
    if reviewed or any(path[0] == "kubernetes.io" for path in paths):
        return KUBERNETES
    if host.startswith(_EKS[0]) and host.endswith(_EKS[1]):
        return KUBERNETES
    return next((each for end, each in _ENDINGS.items() if host.endswith(end)), None)
