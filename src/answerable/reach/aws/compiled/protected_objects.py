"""Objects and calls that AWS protects regardless of policies, each with its source.

Objects that only AWS changes, and actions that only the resource owner's account can
take.
"""

from functools import lru_cache
from typing import NamedTuple

from answerable.reach.aws.patterns.globs import inward, literal, matches

# Not UpdateRole: the description of a service-linked role may be edited. Source: AWS IAM
# User Guide, "Editing a service-linked role description".
_ROLE_EDITS = frozenset(
    f"iam:{name}"
    for name in (
        "attachrolepolicy",
        "deleterole",
        "deleterolepermissionsboundary",
        "deleterolepolicy",
        "detachrolepolicy",
        "putrolepermissionsboundary",
        "putrolepolicy",
        "updateassumerolepolicy",
    )
)
_POLICY_EDITS = frozenset(
    f"iam:{name}"
    for name in (
        "createpolicyversion",
        "deletepolicy",
        "deletepolicyversion",
        "setdefaultpolicyversion",
        "tagpolicy",
        "untagpolicy",
    )
)
_ALIAS_EDITS = frozenset(["kms:createalias", "kms:deletealias", "kms:updatealias"])


class Protected(NamedTuple):
    """Objects that only AWS changes.

    Attributes:
        resources: Pattern of their ARNs.
        actions: The calls that change them, in lower case.
        what: Description for messages.
        source: Documentation.
    """

    resources: str
    actions: frozenset[str]
    what: str
    source: str


PROTECTED: tuple[Protected, ...] = (
    Protected(
        "arn:*:iam::aws:policy/*",
        _POLICY_EDITS,
        "an AWS managed policy",
        "AWS IAM User Guide, managed policies and inline policies: you cannot change "
        "the permissions defined in AWS managed policies",
    ),
    Protected(
        "arn:*:iam::*:role/aws-service-role/*",
        _ROLE_EDITS,
        "a service-linked role",
        "AWS IAM User Guide, service-linked roles: the linked service defines its "
        "permissions, and they cannot be changed",
    ),
    Protected(
        "arn:*:iam::*:role/aws-reserved/*",
        _ROLE_EDITS,
        "a role that AWS reserves (AWSReservedSSO)",
        "IAM Identity Center User Guide, permission sets: the roles it makes can be "
        "changed by Identity Center alone",
    ),
    Protected(
        "arn:*:kms:*:*:alias/aws/*",
        _ALIAS_EDITS,
        "an alias of an AWS managed key",
        "AWS KMS API Reference, CreateAlias: alias/aws/ is reserved",
    ),
)

# "Cross-account use: No". Source: AWS KMS API Reference, each operation.
_KMS = (
    "cancelkeydeletion createalias deletealias deleteimportedkeymaterial disablekey "
    "disablekeyrotation enablekey enablekeyrotation getkeylastusage getkeypolicy "
    "getparametersforimport importkeymaterial listkeypolicies listkeyrotations "
    "listresourcetags putkeypolicy replicatekey rotatekeyondemand schedulekeydeletion "
    "tagresource untagresource updatealias updatekeydescription "
    "updateprimaryregion"
)
# "The calling identity must ... belong to the bucket owner's account". Source: Amazon S3
# API Reference, PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy.
_S3 = "deletebucketpolicy getbucketpolicy putbucketpolicy"
# "Cross-account permissions don't apply to the following actions". Source: Amazon SQS
# Developer Guide, "Limitations of Amazon SQS custom policies".
_SQS = (
    "addpermission cancelmessagemovetask createqueue deletequeue listmessagemovetasks "
    "listqueues listqueuetags removepermission setqueueattributes startmessagemovetask "
    "tagqueue untagqueue"
)
OWNER_ONLY: frozenset[str] = frozenset(
    f"{service}:{name}"
    for service, names in (("kms", _KMS), ("s3", _S3), ("sqs", _SQS))
    for name in names.split()
)


@lru_cache(maxsize=1 << 14)
def protection(action: str, resource: str) -> Protected | None:
    """Find the protection that forbids an action on one resource, None for none.

    Args:
        action: In lower case.
        resource: An ARN.
    """
    return next(
        (
            one
            for one in PROTECTED
            if action in one.actions
            and matches(inward(one.resources), literal(resource))
        ),
        None,
    )


def is_protected_role(role: str) -> bool:
    """Tell whether no principal of its account can edit a role."""
    return protection("iam:putrolepolicy", role) is not None
