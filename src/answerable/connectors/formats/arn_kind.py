"""Determine the resource kind (`s3:bucket`, `kms:key`) of an ARN."""

from answerable.model.ids import Arn

# Types of services whose ARNs hold a bare name.
_UNTYPED_SERVICES = {
    "codepipeline": "pipeline",
    "s3": "bucket",
    "sns": "topic",
    "sqs": "queue",
}


def resource_kind_of_arn(arn: Arn) -> str:
    """Return the kind of a resource: `s3:bucket`, `kms:key`, `lambda:function` ..."""
    named = arn.resource.removeprefix("/")
    before = named.replace("/", ":").split(":")[0]
    if before == named:
        before = _UNTYPED_SERVICES.get(arn.service, "resource")
    return f"{arn.service}:{before or 'resource'}"
