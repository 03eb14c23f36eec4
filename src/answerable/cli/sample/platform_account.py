"""Build a second fictional AWS account: roles of a pipeline and of a cluster."""

import json

from answerable.cli.sample.account import LAMBDA_ADMIN, OIDC, Json, build_role

PLATFORM_ACCOUNT = "444455556666"
CLUSTER_ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/5A3B1E"
LEDGER_OBJECT = "arn:aws:s3:::example-ledger/2026.csv"
PREVIEW_ROLE = f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/web-preview"
RELEASE_ROLE = f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/cluster-release"
LEDGER_ROLE = f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/ledger-reader"


def _build_trust(issuer: str, subject: str) -> Json:
    """Build a trust policy for the tokens of one subject."""
    provider = f"arn:aws:iam::{PLATFORM_ACCOUNT}:oidc-provider/{issuer}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{issuer}:aud": "sts.amazonaws.com",
                f"{issuer}:sub": subject,
            }
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _build_policy(action: str, resource: str) -> Json:
    """Build a policy that allows one action."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def build_platform_account() -> str:
    """Build the output of `aws iam get-account-authorization-details`."""
    roles = [
        build_role(
            "web-preview",
            "2025-05-06T09:00:00Z",
            {"Team": "web"},
            _build_policy(
                "eks:DescribeCluster",
                f"arn:aws:eks:eu-west-1:{PLATFORM_ACCOUNT}:cluster/prod",
            ),
            _build_trust(OIDC, "repo:example-labs/web:ref:refs/heads/main"),
            account=PLATFORM_ACCOUNT,
        ),
        build_role(
            "ledger-reader",
            "2025-03-01T09:00:00Z",
            {"Owner": "ben@corp.example"},
            _build_policy("s3:GetObject", LEDGER_OBJECT),
            _build_trust(CLUSTER_ISSUER, "system:serviceaccount:previews:ledger"),
            account=PLATFORM_ACCOUNT,
        ),
    ]
    roles.append(
        build_role(
            "cluster-release",
            "2025-06-02T09:00:00Z",
            {"Team": "platform"},
            _build_policy(
                "eks:DescribeCluster",
                f"arn:aws:eks:eu-west-1:{PLATFORM_ACCOUNT}:cluster/prod",
            ),
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": LAMBDA_ADMIN},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            account=PLATFORM_ACCOUNT,
        )
    )
    details = {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": roles,
        "Policies": [],
        "IsTruncated": False,
    }
    return json.dumps(details, indent=2) + "\n"
