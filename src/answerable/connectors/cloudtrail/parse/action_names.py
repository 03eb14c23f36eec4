"""Convert a CloudTrail event source and name to an IAM action name."""

import re2

# Event sources whose first label is not the IAM prefix.
# Source: Service Authorization Reference against CloudTrail's "supported services".
PREFIXES = {
    "api.ecr": "ecr",
    "data.iot": "iot",
    "iotdata": "iot",
    "email": "ses",
    "entitlement.marketplace": "aws-marketplace",
    "metering.marketplace": "aws-marketplace",
    "catalog.marketplace": "aws-marketplace",
    "ingest.timestream": "timestream",
    "query.timestream": "timestream",
    "models.lex": "lex",
    "models-v2-lex": "lex",
    "runtime.lex": "lex",
    "runtime-v2-lex": "lex",
    "monitoring": "cloudwatch",
    "portal.sso": "sso",
    "runtime.sagemaker": "sagemaker",
    "servicecatalog-appregistry": "servicecatalog",
    "streams.dynamodb": "dynamodb",
    "tagging": "tag",
    "transcribestreaming": "transcribe",
}
# Calls that IAM authorises under another name. The call is kept as logged.
# Source: "Actions defined by Amazon S3", Amazon S3 User Guide.
IAM_ACTION_OF_CALL = {
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "lambda:Invoke": "lambda:InvokeFunction",
    "bedrock:Converse": "bedrock:InvokeModel",
    "bedrock:ConverseStream": "bedrock:InvokeModelWithResponseStream",
}
# Some services log the API version with the name: `GetFunction20150331v2`.
_VERSION = re2.compile(r"(.*[a-z])(?:20\d{6}(?:v\d+)?|20\d\d_\d\d_\d\d)")
_MAX_CACHED = 20_000
_cache: dict[tuple[str, str], str] = {}


def iam_action_name(source: str, name: str) -> str:
    """Return the IAM action of a call, e.g. `s3:GetObject`.

    Args:
        source: `eventSource`, e.g. `s3.amazonaws.com`.
        name: `eventName`.
    """
    known = _cache.get((source, name))
    if known is None:
        known = _build_action_name(source, name)
        if len(_cache) < _MAX_CACHED:  # names are the sender's: bounded
            _cache[source, name] = known
    return known


def _build_action_name(source: str, name: str) -> str:
    """Build the action name from the service prefix and an unversioned call name."""
    prefix = source.removesuffix(".cn").removesuffix(".amazonaws.com")
    prefix = PREFIXES.get(prefix, prefix)
    versioned = _VERSION.fullmatch(name)
    return f"{prefix}:{versioned.group(1) if versioned else name}"
