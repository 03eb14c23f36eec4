# Read-only roles of `answerable scan gcp:organizations/NUMBER`.
# Members of groups need one more role, which Terraform does not grant:
#   Groups Reader (Google Workspace or Cloud Identity)

variable "organization" {
  type        = string
  description = "Number of the organization."
}

variable "scanner" {
  type        = string
  description = "Identity that scans: serviceAccount:EMAIL, user:EMAIL or a principal://."
}

resource "google_organization_iam_member" "answerable_read" {
  for_each = toset([
    "roles/cloudasset.viewer",
    "roles/iam.denyReviewer",
    "roles/iam.principalAccessBoundaryViewer",
  ])
  org_id = var.organization
  role   = each.value
  member = var.scanner
}

# Agents of Gemini Enterprise: a role of its own, as the predefined ones read documents.
variable "gemini_enterprise" {
  type    = bool
  default = false
}

resource "google_organization_iam_custom_role" "answerable_agents" {
  count       = var.gemini_enterprise ? 1 : 0
  org_id      = var.organization
  role_id     = "answerableAgents"
  title       = "Answerable: list agents"
  permissions = ["discoveryengine.agents.list"]
}

resource "google_organization_iam_member" "answerable_agents" {
  count  = var.gemini_enterprise ? 1 : 0
  org_id = var.organization
  role   = google_organization_iam_custom_role.answerable_agents[0].id
  member = var.scanner
}
