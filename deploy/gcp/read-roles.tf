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
