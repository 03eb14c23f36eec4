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

# Live calls. An asset is read once for each content type.
ASSETS_CALL = "GET /v1/{scope}/assets?contentType={content}"
POLICY_CALL = "POST /v3/{container}:getIamPolicy"
DENY_POLICIES_CALL = "GET /v2/policies/{container}/denypolicies"
BOUNDARIES_CALL = "GET /v3/{parent}/principalAccessBoundaryPolicies"
BOUNDARY_BINDINGS_CALL = "GET /v3/{name}:searchPolicyBindings"
GROUP_CALL = "GET /v1/groups:lookup?groupKey.id={email} and its memberships"
AGENTS_CALL = "GET /v1alpha/{app}/assistants/default_assistant/agents"
ASSET_CONTENTS = {
    "RESOURCE": (
        "resources",
        "custom-roles",
        "service-accounts",
        "service-account-keys",
        "workload-pools",
        "tags",
    ),
    "IAM_POLICY": ("iam-policies",),
    "ORG_POLICY": ("org-policies",),
}
LIVE_CALLS = (
    *(ASSETS_CALL.format(scope="SCOPE", content=each) for each in ASSET_CONTENTS),
    POLICY_CALL.format(container="ANCESTOR"),
    DENY_POLICIES_CALL.format(container="CONTAINER"),
    BOUNDARIES_CALL.format(parent="organizations/NUMBER/locations/global"),
    BOUNDARY_BINDINGS_CALL.format(name="BOUNDARY"),
    GROUP_CALL.format(email="EMAIL"),
    AGENTS_CALL.format(app="APP"),
)
# Predefined roles on the organization that have the permissions of these calls.
# Source: https://docs.cloud.google.com/asset-inventory/docs/roles-permissions,
# https://docs.cloud.google.com/iam/docs/roles-permissions/iam
LIVE_PERMISSIONS = {
    "cloudasset.assets.listResource": "roles/cloudasset.viewer",
    "cloudasset.assets.listIamPolicy": "roles/cloudasset.viewer",
    "cloudasset.assets.listOrgPolicy": "roles/cloudasset.viewer",
    "iam.denypolicies.list": "roles/iam.denyReviewer",
    "iam.denypolicies.get": "roles/iam.denyReviewer",
    "iam.principalaccessboundarypolicies.list": (
        "roles/iam.principalAccessBoundaryViewer"
    ),
    "iam.principalaccessboundarypolicies.searchPolicyBindings": (
        "roles/iam.principalAccessBoundaryViewer"
    ),
}
# The predefined roles that list agents also read documents and search them.
AGENTS_PERMISSION = "discoveryengine.agents.list"
# For a scan of a folder or project: policies of what is above it.
ANCESTOR_PERMISSIONS = (
    "resourcemanager.folders.getIamPolicy",
    "resourcemanager.organizations.getIamPolicy",
)
# Members of groups are a matter of Google Workspace or Cloud Identity.
GROUPS_ROLE = "Groups Reader (Google Workspace or Cloud Identity)"


def build_coverage_word(kind: str) -> str:
    """Return the coverage word of a kind: `gcp-groups`."""
    return f"gcp-{kind}"


DECLARATION = ConnectorDeclaration(
    name="gcp",
    gives="inventory",
    location="FILE or DIR[,FILE...], or organizations/NUMBER, folders/NUMBER, projects/ID "
    "(live; if empty, the project of the credential)",
    about="principals, policies, roles, service accounts and agents of Google Cloud",
    written_by=WrittenBy.PLATFORM,
    reads=(
        *(
            f"FILE, or DIR/**/*.json, *.jsonl, *.dump: output of `{command}`"
            for command in KINDS.values()
        ),
        *LIVE_CALLS,
    ),
    permissions=(
        *LIVE_PERMISSIONS,
        *ANCESTOR_PERMISSIONS,
        AGENTS_PERMISSION,
        GROUPS_ROLE,
    ),
    collects=tuple(map(build_coverage_word, KINDS)),
    live_name=r"(?:organizations/\d+|folders/\d+|projects/[a-z0-9.:-]+)",
)
