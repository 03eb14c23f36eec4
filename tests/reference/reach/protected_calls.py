"""Calls that AWS refuses regardless of policies: protected objects, owner-only calls.

Sources:
    IAM User Guide, "Managed policies and inline policies": "You cannot change the
    permissions defined in AWS managed policies"; "Tagging IAM resources": customer
    managed policies have tags.
    IAM API Reference, error UnmodifiableEntity: "Only the service that depends on the
    service-linked role can modify or delete the role on your behalf". A description may
    be edited ("Using service-linked roles"), and TagRole takes "a regular role or a
    service-linked role".
    IAM Identity Center User Guide, "Referencing permission sets in resource policies":
    the path of its roles, `/aws-reserved/sso.amazonaws.com/`; AWS re:Post, "Cannot
    perform the operation on the protected role AWSReservedSSO": "this role is only
    modifiable by AWS".
    KMS API Reference, CreateAlias: "The alias/aws/ prefix is reserved for AWS managed
    keys"; UpdateAlias and DeleteAlias likewise. Each operation has its own line
    "Cross-account use: Yes" or "No"; Developer Guide, "Allowing users in other accounts
    to use a KMS key": other permissions "have no effect".
    S3 API Reference, PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy: the caller
    must "belong to the bucket owner's account".
    SQS Developer Guide, "Limitations of Amazon SQS custom policies".
"""

from tests.reference.reach.facts import (
    World,
    find_identity,
    find_owner,
    is_service_linked,
)
from tests.reference.reach.principals import AnonymousCaller, Caller, ServiceCaller

_POLICY_CHANGES = {
    "iam:createpolicy",
    "iam:createpolicyversion",
    "iam:deletepolicy",
    "iam:deletepolicyversion",
    "iam:setdefaultpolicyversion",
    "iam:tagpolicy",
    "iam:untagpolicy",
}
_ROLE_CHANGES = {
    "iam:attachrolepolicy",
    "iam:deleterole",
    "iam:deleterolepermissionsboundary",
    "iam:deleterolepolicy",
    "iam:detachrolepolicy",
    "iam:putrolepermissionsboundary",
    "iam:putrolepolicy",
    "iam:updateassumerolepolicy",
}
_ALIAS_CHANGES = {"kms:createalias", "kms:deletealias", "kms:updatealias"}
_KMS_ACROSS_ACCOUNTS = {
    "kms:creategrant",
    "kms:decapsulate",
    "kms:decrypt",
    "kms:derivesharedsecret",
    "kms:describekey",
    "kms:encapsulate",
    "kms:encrypt",
    "kms:generatedatakey",
    "kms:generatedatakeypair",
    "kms:generatedatakeypairwithoutplaintext",
    "kms:generatedatakeywithoutplaintext",
    "kms:generatemac",
    "kms:getkeyrotationstatus",
    "kms:getpublickey",
    "kms:listgrants",
    "kms:reencryptfrom",
    "kms:reencryptto",
    "kms:retiregrant",
    "kms:revokegrant",
    "kms:sign",
    "kms:verify",
    "kms:verifymac",
}
_OWNERS_ONLY = {
    "s3:deletebucketpolicy",
    "s3:getbucketpolicy",
    "s3:putbucketpolicy",
    "sqs:addpermission",
    "sqs:cancelmessagemovetask",
    "sqs:createqueue",
    "sqs:deletequeue",
    "sqs:listmessagemovetasks",
    "sqs:listqueuetags",
    "sqs:removepermission",
    "sqs:setqueueattributes",
    "sqs:startmessagemovetask",
    "sqs:tagqueue",
    "sqs:untagqueue",
}


def is_refused(world: World, caller: Caller, action: str, resource: str) -> bool:
    """Return whether AWS refuses a call although every policy allows it."""
    folded = action.lower()
    return _is_protected(world, folded, resource) or (
        _is_for_owners(folded) and _is_abroad(world, caller, folded, resource)
    )


def _is_protected(world: World, action: str, resource: str) -> bool:
    """Return whether a call changes an object that AWS keeps for itself."""
    parts = (*resource.split(":", 5), "", "", "", "", "")
    if action in _POLICY_CHANGES:
        return parts[4] == "aws" and parts[5].startswith("policy/")
    if action in _ALIAS_CHANGES:
        return parts[5].startswith("alias/aws/")
    if action not in _ROLE_CHANGES or not parts[5].startswith("role/"):
        return False
    known = find_identity(world, resource)
    of_aws = parts[5].startswith(("role/aws-service-role/", "role/aws-reserved/"))
    return of_aws or (known is not None and is_service_linked(known))


def _is_for_owners(action: str) -> bool:
    """Return whether only principals of the owner's account may make a call."""
    if action.startswith("kms:"):
        return action not in _KMS_ACROSS_ACCOUNTS
    return action in _OWNERS_ONLY


def _is_abroad(world: World, caller: Caller, action: str, resource: str) -> bool:
    """Return whether a caller is surely of no account that owns the resource.

    KMS and SQS speak of other accounts, and a service principal is of none; S3 asks
    that the caller belongs to the owner's.
    """
    owner = find_owner(world, resource)
    if not owner:
        return False
    if isinstance(caller, AnonymousCaller):
        return True
    if isinstance(caller, ServiceCaller):
        return action.startswith("s3:")
    return caller.account != owner
