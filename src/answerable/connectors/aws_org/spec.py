"""What the AWS Organizations connector declares about itself."""

from answerable.model.connector import ConnectorSpec
from answerable.model.written import WrittenBy

SPEC = ConnectorSpec(
    name="aws-org",
    gives="inventory",
    location="FILE",
    about="an organisation's accounts, units, and service and resource control policies",
    written_by=WrittenBy.PLATFORM,
    reads=("FILE: answers of `aws organizations`, put together as docs/aws.md shows",),
    permissions=(
        "organizations:DescribeOrganization",
        "organizations:DescribePolicy",
        "organizations:ListAccounts",
        "organizations:ListAccountsForParent",
        "organizations:ListOrganizationalUnitsForParent",
        "organizations:ListPolicies",
        "organizations:ListRoots",
        "organizations:ListTargetsForPolicy",
    ),
    collects=("organization", "scp", "rcp"),
)
