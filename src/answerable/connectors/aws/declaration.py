"""Declare the AWS IAM connector: its name, location, coverage and permissions."""

from collections.abc import Iterable

from answerable.model.connector import ConnectorDeclaration
from answerable.model.coverage import CoverageScope
from answerable.model.provenance import WrittenBy

COLLECTS = ("identity-policies", "boundaries", "role-trust")
LAST_USED = "last-used"
KEYS = "access-keys"
ELSEWHERE = (
    "organization",
    "scp",
    "rcp",
    "resource-policies",
    "resource-tags",
    "session-policies",
    "endpoint-policies",
)

DETAILS = "iam:GetAccountAuthorizationDetails"
LIST_KEYS = "iam:ListAccessKeys"
KEY_USED = "iam:GetAccessKeyLastUsed"
ALIASES = "iam:ListAccountAliases"
WHO_AM_I = "sts:GetCallerIdentity"  # every caller may ask

DECLARATION = ConnectorDeclaration(
    name="aws",
    gives="inventory",
    location="FILE (live if empty)",
    about="an AWS account's users, roles, policies, boundaries, trust and owner tags",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE: output of `aws iam get-account-authorization-details`",
        WHO_AM_I,
        DETAILS,
        LIST_KEYS,
        KEY_USED,
        ALIASES,
    ),
    permissions=(DETAILS, LIST_KEYS, KEY_USED, ALIASES),
    collects=(*COLLECTS, KEYS, LAST_USED),
)


def build_whole_account_coverage(accounts: Iterable[str]) -> tuple[CoverageScope, ...]:
    """Return the coverage of IAM details: whole accounts, since IAM is global."""
    return tuple(
        CoverageScope(word, each) for each in sorted(accounts) for word in COLLECTS
    )
