"""List objects and calls that AWS protects regardless of policies, with sources.

Objects that only AWS changes, and actions that only the resource owner's account can
take.
"""

from functools import lru_cache
from typing import NamedTuple

from answerable.reach.aws.patterns.glob_matching import (
    encode_glob,
    encode_literal,
    matches_glob,
)

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


class ProtectedObjects(NamedTuple):
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


PROTECTED_OBJECTS: tuple[ProtectedObjects, ...] = (
    ProtectedObjects(
        "arn:*:iam::aws:policy/*",
        _POLICY_EDITS,
        "an AWS managed policy",
        "AWS IAM User Guide, managed policies and inline policies: you cannot change "
        "the permissions defined in AWS managed policies",
    ),
    ProtectedObjects(
        "arn:*:iam::*:role/aws-service-role/*",
        _ROLE_EDITS,
        "a service-linked role",
        "AWS IAM User Guide, service-linked roles: the linked service defines its "
        "permissions, and they cannot be changed",
    ),
    ProtectedObjects(
        "arn:*:iam::*:role/aws-reserved/*",
        _ROLE_EDITS,
        "a role that AWS reserves (AWSReservedSSO)",
        "IAM Identity Center User Guide, permission sets: the roles it makes can be "
        "changed by Identity Center alone",
    ),
    ProtectedObjects(
        "arn:*:kms:*:*:alias/aws/*",
        _ALIAS_EDITS,
        "an alias of an AWS managed key",
        "AWS KMS API Reference, CreateAlias: alias/aws/ is reserved",
    ),
)

# "Cross-account use: No". Source: AWS KMS API Reference, each operation.
_KMS_OWNER_ONLY = (
    "cancelkeydeletion createalias deletealias deleteimportedkeymaterial disablekey "
    "disablekeyrotation enablekey enablekeyrotation getkeylastusage getkeypolicy "
    "getparametersforimport importkeymaterial listkeypolicies listkeyrotations "
    "listresourcetags putkeypolicy replicatekey rotatekeyondemand schedulekeydeletion "
    "tagresource untagresource updatealias updatekeydescription "
    "updateprimaryregion"
)
# "The calling identity must ... belong to the bucket owner's account". Source: Amazon S3
# API Reference, PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy.
_S3_OWNER_ONLY = "deletebucketpolicy getbucketpolicy putbucketpolicy"
# "Cross-account permissions don't apply to the following actions". Source: Amazon SQS
# Developer Guide, "Limitations of Amazon SQS custom policies".
_SQS_OWNER_ONLY = (
    "addpermission cancelmessagemovetask createqueue deletequeue listmessagemovetasks "
    "listqueues listqueuetags removepermission setqueueattributes startmessagemovetask "
    "tagqueue untagqueue"
)
OWNER_ACCOUNT_ACTIONS: frozenset[str] = frozenset(
    f"{service}:{name}"
    for service, names in (
        ("kms", _KMS_OWNER_ONLY),
        ("s3", _S3_OWNER_ONLY),
        ("sqs", _SQS_OWNER_ONLY),
    )
    for name in names.split()
)


@lru_cache(maxsize=1 << 14)
def find_aws_protection(action: str, resource: str) -> ProtectedObjects | None:
    """Find the protection that forbids an action on one resource, None for none.

    Args:
        action: In lower case.
        resource: An ARN.
    """
    return next(
        (
            one
            for one in PROTECTED_OBJECTS
            if action in one.actions
            and matches_glob(encode_glob(one.resources), encode_literal(resource))
        ),
        None,
    )


def is_protected_role(role: str) -> bool:
    """Return whether no principal of its account can edit a role."""
    return find_aws_protection("iam:putrolepolicy", role) is not None
