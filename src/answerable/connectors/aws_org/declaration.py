"""Declare the AWS Organizations connector: name, location, coverage, permissions."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

WHO_AM_I = "sts:GetCallerIdentity"  # every caller may ask
ASSUME = "sts:AssumeRole"
REGIONS = "ec2:DescribeRegions"

ORGANIZATION = "organization"
IDENTITY_CENTER = "identity-center"
ROLE_PREFIX = "role/"
DEFAULT_ROLE = "AnswerableRead"

# In the order in which a live scan asks.
PERMISSIONS = (
    "organizations:DescribeOrganization",
    "organizations:ListRoots",
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListPolicies",
    "organizations:DescribePolicy",
    "organizations:ListTargetsForPolicy",
    "organizations:ListDelegatedAdministrators",
    "organizations:ListDelegatedServicesForAccount",
)
# Of IAM Identity Center, in the same account.
CENTER_PERMISSIONS = (
    "sso:ListInstances",
    "sso:ListPermissionSets",
    "sso:DescribePermissionSet",
    "sso:ListAccountsForProvisionedPermissionSet",
    "sso:ListAccountAssignments",
    "identitystore:ListUsers",
    "identitystore:ListGroups",
    "identitystore:ListGroupMemberships",
)
# Of the role in each account, besides what the sources of a single account need.
IN_EACH_ACCOUNT = (REGIONS,)

DECLARATION = ConnectorDeclaration(
    name="aws-org",
    gives="inventory",
    location="FILE (live if empty, or role/NAME)",
    about="an organization's accounts, units, service and resource control policies; "
    "live, also every account",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE: output of `aws organizations`, combined as docs/aws.md shows",
        WHO_AM_I,
        *PERMISSIONS,
        *CENTER_PERMISSIONS,
        ASSUME,
        REGIONS,
    ),
    permissions=(*PERMISSIONS, *CENTER_PERMISSIONS),
    collects=(ORGANIZATION, "scp", "rcp", IDENTITY_CENTER),
    live_prefix=ROLE_PREFIX,
)


def parse_scan_role_name(location: str) -> str | None:
    """Return the role that a live scan assumes in each account, None for a file.

    Args:
        location: Empty for the default role, `role/NAME` or `role/PATH/NAME`.
    """
    if not location:
        return DEFAULT_ROLE
    if location.startswith(ROLE_PREFIX):
        return location.removeprefix(ROLE_PREFIX).strip("/")
    return None
