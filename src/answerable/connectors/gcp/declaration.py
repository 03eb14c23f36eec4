"""Declare the Google Cloud connector: its name, location and coverage."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

PLATFORM = "gcp"
# Kinds of data, each with the commands that collect it.
KINDS = {
    "iam-policies": "gcloud asset search-all-iam-policies",
    "resources": "gcloud asset export --content-type=resource",
    "custom-roles": "gcloud iam roles describe",
    "deny-policies": "gcloud iam policies get --kind=denypolicies",
    "access-boundaries": "gcloud iam principal-access-boundary-policies list",
    "groups": "gcloud identity groups memberships list",
    "service-accounts": "gcloud iam service-accounts list",
    "service-account-keys": "gcloud iam service-accounts keys list",
    "workload-pools": "gcloud iam workload-identity-pools providers list",
    "org-policies": "gcloud asset export --content-type=org-policy",
    "tags": "gcloud resource-manager tags bindings list",
}


def build_coverage_word(kind: str) -> str:
    """Return the coverage word of a kind: `gcp-groups`."""
    return f"gcp-{kind}"


DECLARATION = ConnectorDeclaration(
    name="gcp",
    gives="inventory",
    location="FILE or DIR[,FILE...]",
    about="principals, policies, roles, service accounts and agents of Google Cloud",
    written_by=WrittenBy.PLATFORM,
    reads=tuple(
        f"FILE, or DIR/**/*.json, *.jsonl, *.dump: answers of `{command}`"
        for command in KINDS.values()
    ),
    permissions=(),
    collects=tuple(map(build_coverage_word, KINDS)),
)
