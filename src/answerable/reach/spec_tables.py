"""Tables of AWS's that the readable rules read: data, no rules."""

RCP_SERVICES = frozenset({"s3", "sts", "kms", "sqs", "secretsmanager", "ecr"})
RCP_EXEMPT = frozenset({"kms:retiregrant"})
FREE_ACTIONS = frozenset({"sts:getcalleridentity"})
TRUST_ACTIONS = frozenset(
    {"sts:assumerole", "sts:tagsession", "sts:setsourceidentity", "sts:setcontext"}
)
"""What a role's trust policy authorises, as a resource policy does elsewhere."""
