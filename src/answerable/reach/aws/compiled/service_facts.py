"""List facts about AWS services, such as RCP support, each table with its source.

Services with resource policies, services that RCPs bind, actions that a trust policy
decides, and actions that need no permission.
"""

from functools import lru_cache

# Source: AWS IAM User Guide, "AWS services that work with IAM", column
# "Resource-based policies".
RESOURCE_POLICY_SERVICES = frozenset(
    [
        "acm-pca",
        "aoss",
        "apigateway",
        "backup",
        "bedrock",
        "bedrock-agentcore",
        "cloudtrail",
        "cloudwatch",
        "codeartifact",
        "codebuild",
        "dynamodb",
        "ecr",
        "elasticfilesystem",
        "es",
        "eventbridge",
        "events",
        "execute-api",
        "glacier",
        "glue",
        "iot",
        "kinesis",
        "kms",
        "lambda",
        "logs",
        "mediastore",
        "network-firewall",
        "organizations",
        "ram",
        "redshift-serverless",
        "rekognition",
        "route53-recovery-readiness",
        "s3",
        "s3-outposts",
        "s3express",
        "s3tables",
        "schemas",
        "secretsmanager",
        "serverlessrepo",
        "ses",
        "signer",
        "sns",
        "sqs",
        "ssm",
        "ssm-contacts",
        "ssm-incidents",
        "vpc-lattice",
        "xray",
    ]
)

# Source: AWS Organizations User Guide, "Resource control policies (RCPs)", "List of
# AWS services that support RCPs".
RCP_SERVICES = frozenset(
    [
        "aoss",
        "appconfig",
        "appstream",
        "autoscaling",
        "autoscaling-plans",
        "budgets",
        "clouddirectory",
        "cloudfront",
        "cloudsearch",
        "cloudtrail-data",
        "codeartifact",
        "codebuild",
        "codecommit",
        "codepipeline",
        "cognito-identity",
        "cognito-idp",
        "comprehend",
        "comprehendmedical",
        "compute-optimizer",
        "cost-optimization-hub",
        "dax",
        "dsql",
        "dynamodb",
        "ecr",
        "ecr-public",
        "events",
        "firehose",
        "fis",
        "fms",
        "gamelift",
        "health",
        "inspector-scan",
        "kendra",
        "kinesisvideo",
        "kms",
        "logs",
        "memorydb",
        "networkmonitor",
        "notifications",
        "opensearch",
        "pca-connector-ad",
        "personalize",
        "polly",
        "pricing",
        "resource-groups",
        "rolesanywhere",
        "s3",
        "secretsmanager",
        "servicediscovery",
        "signin",
        "sqs",
        "sts",
        "support",
        "swf",
        "textract",
        "timestream-influxdb",
        "transcribe",
        "transfer",
        "translate",
        "wafv2",
        "workspaces",
        "xray",
    ]
)

# Source: the same page, "Resources and entities not restricted by RCPs".
_RCP_EXEMPT_ACTIONS = frozenset(["kms:retiregrant"])

# Calls on a role that its trust policy decides together with the caller's policies.
# Source: AWS IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control
# actions taken with assumed roles": the trust policy needs each of them.
TRUST_POLICY_ACTIONS = frozenset(
    ["sts:assumerole", "sts:tagsession", "sts:setsourceidentity", "sts:setcontext"]
)

# Source: AWS STS API Reference, "GetCallerIdentity": no permission is needed, and an
# explicit deny does not take it away. The same reference, "GetSessionToken".
NO_PERMISSION_ACTIONS = frozenset(["sts:getcalleridentity", "sts:getsessiontoken"])

# Of these, the calls that only long-term credentials of a user or root user can make.
# Source: AWS STS API Reference, "GetSessionToken": "You must call the GetSessionToken
# operation using the long-term security credentials of an IAM user"; "no permissions are
# required", and policies cannot control it.
_LONG_TERM_ONLY_ACTIONS = frozenset(["sts:getsessiontoken"])


def needs_no_permission(action: str, *, in_session: bool) -> bool | None:
    """Return whether AWS allows a call without a policy; None if policies decide.

    Args:
        action: In lower case.
        in_session: Whether the caller acts as a session, with temporary credentials.

    Returns:
        None where policies decide; False where a session can make no such call.
    """
    if action not in NO_PERMISSION_ACTIONS:
        return None
    return not (in_session and action in _LONG_TERM_ONLY_ACTIONS)


@lru_cache(maxsize=1 << 15)
def supports_resource_policies(action: str) -> bool:
    """Return whether a service has resource policies, for an action or a pattern."""
    service = action.lower().partition(":")[0]
    return "*" in service or service in RESOURCE_POLICY_SERVICES


@lru_cache(maxsize=1 << 15)
def supports_rcps(action: str) -> bool:
    """Return whether RCPs bind an action, or an action pattern."""
    folded = action.lower()
    service = folded.partition(":")[0]
    bound = "*" in service or service in RCP_SERVICES
    return bound and folded not in _RCP_EXEMPT_ACTIONS


def needs_key_policy(resource: str) -> bool:
    """Return whether a resource is a KMS key, whose key policy must allow every call.

    Source: AWS KMS Developer Guide, "Key policies in AWS KMS".
    """
    if ":kms:" not in resource:
        return False
    parts = resource.split(":", 5)
    return len(parts) == 6 and parts[2] == "kms" and parts[5].startswith("key/")
