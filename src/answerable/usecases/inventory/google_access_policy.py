"""Render the roles that a live scan of Google Cloud needs, as Terraform.

They are the predefined roles that hold the permissions which the connector declares:
permissions on deny policies and boundaries cannot be put into a custom role. The file
`deploy/gcp/read-roles.tf` is its output.

Source: https://docs.cloud.google.com/iam/docs/custom-roles-permissions-support
"""

from collections.abc import Sequence

from answerable.connectors.gcp.declaration import (
    AGENTS_PERMISSION,
    DECLARATION,
    GROUPS_ROLE,
    LIVE_PERMISSIONS,
)
from answerable.model.errors import UsageError

FORM = "gcp-roles"

_DOCUMENT = """\
# Read-only roles of `answerable scan gcp:organizations/NUMBER`.
# Members of groups need one more role, which Terraform does not grant:
#   {groups}

variable "organization" {{
  type        = string
  description = "Number of the organization."
}}

variable "scanner" {{
  type        = string
  description = "Identity that scans: serviceAccount:EMAIL, user:EMAIL or a principal://."
}}

resource "google_organization_iam_member" "answerable_read" {{
  for_each = toset([
{roles}  ])
  org_id = var.organization
  role   = each.value
  member = var.scanner
}}

# Agents of Gemini Enterprise: a role of its own, as the predefined ones read documents.
variable "gemini_enterprise" {{
  type    = bool
  default = false
}}

resource "google_organization_iam_custom_role" "answerable_agents" {{
  count       = var.gemini_enterprise ? 1 : 0
  org_id      = var.organization
  role_id     = "answerableAgents"
  title       = "Answerable: list agents"
  permissions = ["{agents}"]
}}

resource "google_organization_iam_member" "answerable_agents" {{
  count  = var.gemini_enterprise ? 1 : 0
  org_id = var.organization
  role   = google_organization_iam_custom_role.answerable_agents[0].id
  member = var.scanner
}}
"""


def render_roles(source_names: Sequence[str]) -> str:
    """Render the roles of the scanning identity as Terraform.

    Raises:
        UsageError: Another source than `gcp` is named.
    """
    if list(source_names) != [DECLARATION.name]:
        raise UsageError(
            f"--policy {FORM} is for an organization of Google Cloud "
            f"(got {', '.join(source_names) or 'no source'})",
            f"name it: answerable where --policy {FORM} {DECLARATION.name}:",
        )
    roles = "".join(f'    "{each}",\n' for each in sorted({*LIVE_PERMISSIONS.values()}))
    return _DOCUMENT.format(roles=roles, groups=GROUPS_ROLE, agents=AGENTS_PERMISSION)
