"""Starter policies of AWS for agents whose behavior was not learned yet, as data.

A person signs one by its name. None allows to change permissions, to start another
session, or to read secrets.
"""

import json
from collections.abc import Mapping

# Reads of settings and lists, without the content of objects, tables, logs and secrets.
# Prefixes follow the verbs of the read-only API operations of each service.
# Source: AWS Managed Policy Reference, ViewOnlyAccess, from which these are a selection.
_METADATA = (
    "cloudformation:DescribeStacks",
    "cloudformation:ListStacks",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:ListMetrics",
    "dynamodb:DescribeTable",
    "dynamodb:ListTables",
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:DescribeRepositories",
    "ecs:Describe*",
    "ecs:List*",
    "eks:DescribeCluster",
    "eks:ListClusters",
    "elasticloadbalancing:DescribeLoadBalancers",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",
    "rds:DescribeDBInstances",
    "s3:GetBucketLocation",
    "s3:ListAllMyBuckets",
    "sns:ListTopics",
    "sqs:ListQueues",
    "tag:GetResources",
)
# Services whose actions change permissions, start sessions or read secrets.
_IDENTITY = (
    "account:*",
    "iam:*",
    "identitystore:*",
    "kms:CreateGrant",
    "kms:Decrypt",
    "organizations:*",
    "secretsmanager:*",
    "signin:*",
    "ssm:GetParameter*",
    "sso:*",
    "sts:*",
)

STARTERS: Mapping[str, Mapping[str, object]] = {
    "metadata": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(_METADATA), "Resource": "*"}],
    },
    "no-identity": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "NotAction": list(_IDENTITY), "Resource": "*"},
        ],
    },
}


def get_starter_policy(name: str) -> str:
    """Return the session policy of a starter, as compact JSON."""
    return json.dumps(STARTERS[name], separators=(",", ":"))
