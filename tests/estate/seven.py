"""The seven-identity account: small enough to read, mean enough to catch mistakes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from answerable.cli.sample.fake_access_keys import make_access_key_id, make_fake_secret

ACCOUNT = "222233334444"
KEY = make_access_key_id(ACCOUNT, "legacy-sync")
PERSONAL = "arn:aws:s3:::personal-data"
SCRATCH = "arn:aws:s3:::scratch"
GITHUB = "token.actions.githubusercontent.com"


def arn(kind: str, name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"


def allow(action: object, resource: object, effect: str = "Allow") -> dict[str, object]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def document(*statements: dict[str, object]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def role(
    name: str,
    trust: dict[str, object],
    *statements: dict[str, object],
    tags: dict[str, str] | None = None,
    boundary: str = "",
) -> dict[str, object]:
    detail: dict[str, object] = {
        "Path": "/",
        "RoleName": name,
        "RoleId": make_access_key_id(ACCOUNT, name, "AROA"),
        "Arn": arn("role", name),
        "CreateDate": "2026-01-10T09:00:00Z",
        "AssumeRolePolicyDocument": document({"Effect": "Allow", **trust}),
        "InstanceProfileList": [],
        "RolePolicyList": [
            {"PolicyName": "inline", "PolicyDocument": document(*statements)}
        ],
        "AttachedManagedPolicies": [],
        "Tags": [{"Key": k, "Value": v} for k, v in (tags or {}).items()],
    }
    if boundary:
        detail["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": boundary,
        }
    return detail


def service(name: str) -> dict[str, object]:
    return {
        "Principal": {"Service": f"{name}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


def account() -> dict[str, object]:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
    github = {
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{GITHUB}:sub": "repo:org/*"},
        },
    }
    second = {
        "Principal": {"AWS": arn("role", "agent-runner")},
        "Action": "sts:AssumeRole",
    }
    boundary = arn("policy", "only-scratch")
    return {
        "UserDetailList": [
            {
                "Path": "/",
                "UserName": "legacy-sync",
                "UserId": make_access_key_id(ACCOUNT, "legacy-sync", "AIDA"),
                "Arn": arn("user", "legacy-sync"),
                "CreateDate": "2020-05-05T05:05:05Z",
                "GroupList": [],
                "UserPolicyList": [
                    {
                        "PolicyName": "inline",
                        "PolicyDocument": document(allow("s3:*", "*")),
                    }
                ],
                "AttachedManagedPolicies": [],
                "Tags": [],
            }
        ],
        "GroupDetailList": [],
        "RoleDetailList": [
            role(
                "agent-runner",
                service("bedrock-agentcore"),
                allow("sts:AssumeRole", arn("role", "customer-reader")),
                tags={"Owner": "dana@corp.example"},
            ),
            role(
                "customer-reader",
                second,
                allow(["s3:GetObject", "s3:ListBucket"], [PERSONAL, f"{PERSONAL}/*"]),
            ),
            role("scratch-admin", service("ec2"), allow("*", "*"), boundary=boundary),
            role(
                "denied-admin",
                service("bedrock"),
                allow("*", "*"),
                allow("*", "*", "Deny"),
            ),
            role(
                "ci-release",
                github,
                allow(["lambda:CreateFunction", "lambda:InvokeFunction"], "*"),
                allow("iam:PassRole", arn("role", "break-glass")),
            ),
            role("break-glass", service("lambda"), allow("*", "*")),
        ],
        "Policies": [
            {
                "PolicyName": "only-scratch",
                "PolicyId": make_access_key_id(ACCOUNT, "only-scratch", "ANPA"),
                "Arn": boundary,
                "Path": "/",
                "DefaultVersionId": "v1",
                "AttachmentCount": 0,
                "PermissionsBoundaryUsageCount": 1,
                "IsAttachable": True,
                "CreateDate": "2026-01-10T09:00:00Z",
                "UpdateDate": "2026-01-10T09:00:00Z",
                "PolicyVersionList": [
                    {
                        "Document": document(allow("s3:*", [SCRATCH, f"{SCRATCH}/*"])),
                        "VersionId": "v1",
                        "IsDefaultVersion": True,
                        "CreateDate": "2026-01-10T09:00:00Z",
                    }
                ],
            }
        ],
        "IsTruncated": False,
    }


def keys() -> dict[str, object]:
    return {
        "AccessKeyMetadata": [
            {
                "UserName": "legacy-sync",
                "AccessKeyId": KEY,
                "Status": "Active",
                "CreateDate": "2020-05-05T05:06:00Z",
            }
        ]
    }


def mcp_config() -> dict[str, object]:
    sync = {
        "command": "uvx",
        "args": ["sync-mcp"],
        "env": {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": make_fake_secret("legacy-sync"),
        },
    }
    return {"mcpServers": {"sync": sync}}


@dataclass(frozen=True)
class Files:
    account: Path
    keys: Path
    home: Path


@dataclass(frozen=True)
class Answer:
    """What one run of the command line gave; `peak` in MiB where it was measured."""

    code: int
    out: str
    err: str
    peak: float = 0.0

    @property
    def items(self) -> list[dict[str, object]]:
        items = json.loads(self.out)["items"]
        assert isinstance(items, list)
        return items


Ask = Callable[..., Answer]
