"""Build a fictional AWS account: users, roles, policies and access keys."""

import json
from collections.abc import Mapping

from answerable.cli.sample.fake_access_keys import make_access_key_id

ACCOUNT = "111122223333"
CUSTOMER_BUCKET = "arn:aws:s3:::example-customer-data"
REPORT_BUCKET = "arn:aws:s3:::example-reports"
REPORT_BOT = f"arn:aws:iam::{ACCOUNT}:user/report-bot"
REPORT_KEY = make_access_key_id(ACCOUNT, "report-bot")
LEGACY_KEY = make_access_key_id(ACCOUNT, "legacy-export")
DATA_READER = f"arn:aws:iam::{ACCOUNT}:role/data-reader"
CI_DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/ci-deploy"
LAMBDA_ADMIN = f"arn:aws:iam::{ACCOUNT}:role/lambda-admin"
DELETED_ROLE = f"arn:aws:iam::{ACCOUNT}:role/tmp-export"
OIDC = "token.actions.githubusercontent.com"

Json = Mapping[str, object]


def _build_policy(*statements: Json) -> Json:
    """Build an IAM policy document from statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _build_allow_statement(action: str | list[str], resource: str | list[str]) -> Json:
    """Build an IAM policy statement that allows an action on a resource."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def _build_trust_policy(
    principal: Json, action: str, condition: Json | None = None
) -> Json:
    """Build the trust policy of a sample IAM role."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return _build_policy(statement | ({"Condition": condition} if condition else {}))


def _build_user_or_role(
    kind: str, name: str, created: str, tags: Mapping[str, str], account: str = ACCOUNT
) -> Json:
    """Build the fields that users and roles share."""
    unique = make_access_key_id(account, name, "AROA" if kind == "Role" else "AIDA")
    return {
        "Path": "/",
        f"{kind}Name": name,
        f"{kind}Id": unique,
        "Arn": f"arn:aws:iam::{account}:{kind.lower()}/{name}",
        "CreateDate": created,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "AttachedManagedPolicies": [],
    }


def _build_user(name: str, created: str, tags: Mapping[str, str], policy: Json) -> Json:
    """Build a sample IAM user with one inline policy."""
    return {
        **_build_user_or_role("User", name, created, tags),
        "GroupList": [],
        "UserPolicyList": [{"PolicyName": "inline", "PolicyDocument": policy}],
    }


def build_role(
    name: str,
    created: str,
    tags: Mapping[str, str],
    policy: Json,
    trust: Json,
    *,
    account: str = ACCOUNT,
) -> Json:
    """Build a role with one inline policy and a trust policy."""
    return {
        **_build_user_or_role("Role", name, created, tags, account),
        "InstanceProfileList": [],
        "AssumeRolePolicyDocument": trust,
        "RolePolicyList": [{"PolicyName": "inline", "PolicyDocument": policy}],
    }


def _build_users() -> list[Json]:
    """Build the IAM users of the sample account."""
    bot = _build_policy(
        _build_allow_statement(["s3:GetObject", "s3:PutObject"], f"{REPORT_BUCKET}/*"),
        _build_allow_statement("s3:ListAllMyBuckets", "*"),
        _build_allow_statement("sts:AssumeRole", [DATA_READER, DELETED_ROLE]),
        _build_allow_statement(
            ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRole"], DELETED_ROLE
        ),
    )
    return [
        _build_user(
            "report-bot", "2025-03-04T09:12:00Z", {"Owner": "ana@corp.example"}, bot
        ),
        _build_user(
            "legacy-export",
            "2021-06-01T08:00:00Z",
            {},
            _build_policy(_build_allow_statement("s3:*", "*")),
        ),
    ]


def _build_roles() -> list[Json]:
    """Build the sample roles: data reader, deployment, support."""
    read = _build_policy(
        _build_allow_statement(
            ["s3:GetObject", "s3:ListBucket"], [CUSTOMER_BUCKET, f"{CUSTOMER_BUCKET}/*"]
        )
    )
    deploy = _build_policy(
        _build_allow_statement(["lambda:CreateFunction", "lambda:InvokeFunction"], "*"),
        _build_allow_statement("iam:PassRole", LAMBDA_ADMIN),
    )
    support = _build_policy(_build_allow_statement("bedrock:InvokeModel", "*"))
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{OIDC}"
    github = {
        "StringEquals": {f"{OIDC}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{OIDC}:sub": "repo:example-corp/*"},
    }
    return [
        build_role(
            "data-reader",
            "2025-02-11T10:00:00Z",
            {"Owner": "ben@corp.example", "data": "personal"},
            read,
            _build_trust_policy({"AWS": REPORT_BOT}, "sts:AssumeRole"),
        ),
        build_role(
            "ci-deploy",
            "2025-09-20T07:30:00Z",
            {"Owner": "ana@corp.example"},
            deploy,
            _build_trust_policy(
                {"Federated": provider}, "sts:AssumeRoleWithWebIdentity", github
            ),
        ),
        build_role(
            "lambda-admin",
            "2024-11-02T16:45:00Z",
            {"Team": "platform"},
            _build_policy(_build_allow_statement("*", "*")),
            _build_trust_policy({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole"),
        ),
        build_role(
            "support-agent",
            "2026-01-15T12:00:00Z",
            {"Owner": "ben@corp.example"},
            support,
            _build_trust_policy({"Service": "bedrock.amazonaws.com"}, "sts:AssumeRole"),
        ),
    ]


def build_authorization_details() -> str:
    """Build the output of `aws iam get-account-authorization-details`."""
    details = {
        "UserDetailList": _build_users(),
        "GroupDetailList": [],
        "RoleDetailList": _build_roles(),
        "Policies": [],
        "IsTruncated": False,
    }
    return json.dumps(details, indent=2) + "\n"


def build_access_keys() -> str:
    """Build the merged output of `aws iam list-access-keys` for both users."""
    keys = [
        ("report-bot", REPORT_KEY, "2025-03-04T09:13:10Z"),
        ("legacy-export", LEGACY_KEY, "2021-06-01T08:00:30Z"),
    ]
    metadata = [
        {"UserName": name, "AccessKeyId": key, "Status": "Active", "CreateDate": at}
        for name, key, at in keys
    ]
    return json.dumps({"AccessKeyMetadata": metadata}, indent=2) + "\n"
