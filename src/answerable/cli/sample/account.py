"""Sample AWS account: authorization details and access keys."""

import json
from collections.abc import Mapping

from answerable.cli.sample.keys import access_key_id

ACCOUNT = "111122223333"
CUSTOMER_BUCKET = "arn:aws:s3:::example-customer-data"
REPORT_BUCKET = "arn:aws:s3:::example-reports"
REPORT_BOT = f"arn:aws:iam::{ACCOUNT}:user/report-bot"
REPORT_KEY = access_key_id(ACCOUNT, "report-bot")
LEGACY_KEY = access_key_id(ACCOUNT, "legacy-export")
DATA_READER = f"arn:aws:iam::{ACCOUNT}:role/data-reader"
CI_DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/ci-deploy"
LAMBDA_ADMIN = f"arn:aws:iam::{ACCOUNT}:role/lambda-admin"
DELETED_ROLE = f"arn:aws:iam::{ACCOUNT}:role/tmp-export"
OIDC = "token.actions.githubusercontent.com"

Json = Mapping[str, object]


def _document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(action: str | list[str], resource: str | list[str]) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def _trust(principal: Json, action: str, condition: Json | None = None) -> Json:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return _document(statement | ({"Condition": condition} if condition else {}))


def _entity(kind: str, name: str, created: str, tags: Mapping[str, str]) -> Json:
    unique = access_key_id(ACCOUNT, name, "AROA" if kind == "Role" else "AIDA")
    return {
        "Path": "/",
        f"{kind}Name": name,
        f"{kind}Id": unique,
        "Arn": f"arn:aws:iam::{ACCOUNT}:{kind.lower()}/{name}",
        "CreateDate": created,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "AttachedManagedPolicies": [],
    }


def _user(name: str, created: str, tags: Mapping[str, str], policy: Json) -> Json:
    return {
        **_entity("User", name, created, tags),
        "GroupList": [],
        "UserPolicyList": [{"PolicyName": "inline", "PolicyDocument": policy}],
    }


def _role(
    name: str, created: str, tags: Mapping[str, str], policy: Json, trust: Json
) -> Json:
    return {
        **_entity("Role", name, created, tags),
        "InstanceProfileList": [],
        "AssumeRolePolicyDocument": trust,
        "RolePolicyList": [{"PolicyName": "inline", "PolicyDocument": policy}],
    }


def _users() -> list[Json]:
    bot = _document(
        _allow(["s3:GetObject", "s3:PutObject"], f"{REPORT_BUCKET}/*"),
        _allow("s3:ListAllMyBuckets", "*"),
        _allow("sts:AssumeRole", [DATA_READER, DELETED_ROLE]),
        _allow(["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRole"], DELETED_ROLE),
    )
    return [
        _user("report-bot", "2025-03-04T09:12:00Z", {"Owner": "ana@corp.example"}, bot),
        _user(
            "legacy-export", "2021-06-01T08:00:00Z", {}, _document(_allow("s3:*", "*"))
        ),
    ]


def _roles() -> list[Json]:
    read = _document(
        _allow(
            ["s3:GetObject", "s3:ListBucket"], [CUSTOMER_BUCKET, f"{CUSTOMER_BUCKET}/*"]
        )
    )
    deploy = _document(
        _allow(["lambda:CreateFunction", "lambda:InvokeFunction"], "*"),
        _allow("iam:PassRole", LAMBDA_ADMIN),
    )
    support = _document(_allow("bedrock:InvokeModel", "*"))
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{OIDC}"
    github = {
        "StringEquals": {f"{OIDC}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{OIDC}:sub": "repo:example-corp/*"},
    }
    return [
        _role(
            "data-reader",
            "2025-02-11T10:00:00Z",
            {"Owner": "ben@corp.example", "data": "personal"},
            read,
            _trust({"AWS": REPORT_BOT}, "sts:AssumeRole"),
        ),
        _role(
            "ci-deploy",
            "2025-09-20T07:30:00Z",
            {"Owner": "ana@corp.example"},
            deploy,
            _trust({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", github),
        ),
        _role(
            "lambda-admin",
            "2024-11-02T16:45:00Z",
            {"Team": "platform"},
            _document(_allow("*", "*")),
            _trust({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole"),
        ),
        _role(
            "support-agent",
            "2026-01-15T12:00:00Z",
            {"Owner": "ben@corp.example"},
            support,
            _trust({"Service": "bedrock.amazonaws.com"}, "sts:AssumeRole"),
        ),
    ]


def authorization_details() -> str:
    """Build the output of `aws iam get-account-authorization-details`."""
    details = {
        "UserDetailList": _users(),
        "GroupDetailList": [],
        "RoleDetailList": _roles(),
        "Policies": [],
        "IsTruncated": False,
    }
    return json.dumps(details, indent=2) + "\n"


def access_keys() -> str:
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
