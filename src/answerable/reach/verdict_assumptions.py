"""List the assumptions of a verdict: policy kinds not collected that could change it.

A closed list: the coverage words, each with the name that `--assume` takes.
"""

from collections.abc import Iterable

ASSUMPTION_NAMES = {
    "scp": "scp",
    "rcp": "rcp",
    "boundaries": "boundary",
    "session-policies": "session-policy",
    "endpoint-policies": "endpoint-policy",
    "resource-policies": "resource-policies",
    "identity-policies": "identity-policies",
    "role-trust": "role-trust",
    "s3-acls": "s3-acls",
    "s3-access-points": "s3-access-points",
    "public-access-block": "public-access-block",
    "kms-grants": "kms-grants",
    "running-code": "running-code",
    "passed-roles": "passed-roles",
    "organization": "organization",
    "paths": "paths",
    "cross-platform-steps": "cross-platform-steps",
    "action-catalogue": "action-catalogue",
    "gcp-deny-policies": "gcp-deny-policies",
    "gcp-access-boundaries": "gcp-access-boundaries",
    "gcp-service-accounts": "gcp-service-accounts",
    "gcp-resources": "gcp-resources",
    "gcp-org-policies": "gcp-org-policies",
}


def list_assumed_policy_kinds(
    words: Iterable[str], policies: Iterable[str] = ()
) -> list[str]:
    """List the kinds of uncollected policy on whose absence a verdict relies.

    Args:
        words: Coverage words, with or without a place. Any other word is an identity or
            credential whose policies are missing.
        policies: Ids of single policies among the words; their kind is a word too.
    """
    kinds = {word.partition(" (")[0] for word in words} - {"", *policies}
    return sorted({ASSUMPTION_NAMES.get(kind, "identity-policies") for kind in kinds})
