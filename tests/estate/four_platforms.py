"""Files of one company on four platforms: GitHub, AWS, an EKS cluster, a home.

Each link of the way from an account without any access to the bucket `ledger` is one
member of `LINKS`; a test cuts it.
"""

import base64
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tests.connectors.github.saved_answers import content, counted, save, user
from tests.connectors.kubernetes.kubernetes_objects import (
    account,
    binding,
    bootstrap,
    group,
    listed,
    made,
    pod,
    role,
)
from tests.estate.seven import allow
from tests.estate.seven import role as build_role

ACCOUNT = "222233334444"
ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/A1"
GITHUB = "token.actions.githubusercontent.com"
CLUSTER = f"prod.eu-west-1.{ACCOUNT}"
CLUSTER_ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/prod"
DEPLOY, LEDGER = (
    f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("deploy", "ledger")
)
BUCKET = "arn:aws:s3:::ledger/2026.csv"
RUN = "github:acme/repo/web/run/ref:refs%2Fheads%2Fmain"
ANYBODY = "github:user/*"
DEPLOYER = f"k8s:{CLUSTER}/user/deployer"
REPORTS, BUILDER = (
    f"k8s:{CLUSTER}/apps/serviceaccount/{name}" for name in ("reports", "builder")
)
LINKS = (
    "public repository",
    "outside trigger",
    "checkout of the head",
    "id-token",
    "trust of GitHub",
    "access entry",
    "group binding",
    "pod creation",
    "role annotation and trust",
    "bucket policy",
)


def write_estate(
    root: Path,
    cut: Collection[str] = (),
    holds: str = "builder",
    more: Mapping[str, str] | None = None,
) -> list[str]:
    """Write the files of all platforms; return the sources of a scan.

    Args:
        cut: Members of `LINKS` to leave out.
        holds: Service account whose token the kubeconfig holds.
        more: Further files of the home.
    """
    save(root / "github", _build_organization(cut))
    details = root / "account.json"
    details.write_text(json.dumps(_build_account(cut)))
    cluster = root / "cluster"
    cluster.mkdir()
    (cluster / "dump.json").write_text(listed(*_build_cluster(cut)))
    (cluster / "eks.json").write_text(_build_eks_answers(cut))
    home = root / "home" / "dana"
    for name, text in {**_build_home(holds), **(more or {})}.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [
        f"github:{root / 'github'}",
        f"aws:{details}",
        f"k8s:{cluster}",
        f"home:{home}",
    ]


def _build_workflow(cut: Collection[str]) -> str:
    """Build a workflow that runs the code of a pull request with a cloud role."""
    trigger = "push" if "outside trigger" in cut else "pull_request_target"
    token = "none" if "id-token" in cut else "write"
    head = "" if "checkout of the head" in cut else "pull_request.head.sha"
    ref = f"${{{{ github.event.{head} }}}}" if head else "main"
    return f"""\
on:
  {trigger}:
permissions:
  id-token: {token}
  contents: read
jobs:
  preview:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          ref: {ref}
      - run: make preview
"""


def _build_organization(cut: Collection[str]) -> dict[str, Any]:
    """Build the saved answers of an organization with one repository."""
    private = "public repository" in cut
    path = ".github/workflows/preview.yml"
    org, web = "orgs/acme", "repos/acme/web"
    missing = {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    }
    return {
        org: {
            "login": "acme",
            "id": 7,
            "default_repository_permission": "none",
        },
        f"{org}/members.admin": [[user("root")]],
        f"{org}/members.member": [[]],
        f"{org}/outside_collaborators": [[]],
        f"{org}/teams": [[]],
        f"{org}/organization-roles": {"total_count": 0, "roles": []},
        f"{org}/custom-repository-roles": {"total_count": 0, "custom_roles": []},
        f"{org}/rulesets": [[]],
        f"{org}/actions/secrets": counted("secrets"),
        f"{org}/actions/permissions/workflow": {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": False,
        },
        f"{org}/actions/oidc/customization/sub": {
            "include_claim_keys": ["repo", "context"],
            "use_immutable_subject": False,
        },
        f"{org}/actions/runner-groups": counted("runner_groups"),
        f"{org}/installations": counted("installations"),
        f"{org}/personal-access-tokens": [[]],
        f"{org}/personal-access-token-requests": [[]],
        f"{org}/repos": [
            [
                {
                    "id": 71,
                    "name": "web",
                    "full_name": "acme/web",
                    "private": private,
                    "visibility": "private" if private else "public",
                    "default_branch": "main",
                    "created_at": "2025-01-01T00:00:00Z",
                }
            ]
        ],
        f"{web}/collaborators": [[]],
        f"{web}/teams": [[]],
        f"{web}/branches": [[{"name": "main"}]],
        f"{web}/branch-protection-rules": [
            {
                "data": {
                    "repository": {
                        "branchProtectionRules": {
                            "pageInfo": {"hasNextPage": False},
                            "nodes": [],
                        }
                    }
                }
            }
        ],
        f"{web}/rulesets": [[]],
        f"{web}/environments": counted("environments"),
        f"{web}/actions/secrets": counted("secrets"),
        f"{web}/keys": [[]],
        f"{web}/actions/permissions/workflow": {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": False,
        },
        f"{web}/actions/permissions": {"enabled": True},
        f"{web}/actions/oidc/customization/sub": {"use_default": True},
        f"{web}/actions/workflows": counted(
            "workflows", {"id": 1, "path": path, "state": "active"}
        ),
        f"{web}/contents/{path}": content(path, _build_workflow(cut)),
        f"{web}/contents/.github/CODEOWNERS": missing,
        f"{web}/contents/CODEOWNERS": missing,
        f"{web}/contents/docs/CODEOWNERS": missing,
        f"{web}/actions/runners": counted("runners"),
    }


def _build_web_trust(issuer: str, subject: str) -> dict[str, Any]:
    """Build the statement of a role that trusts one subject of an OIDC provider."""
    return {
        "Principal": {
            "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}",
        },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{issuer}:aud": "sts.amazonaws.com",
                f"{issuer}:sub": subject,
            }
        },
    }


def _build_account(cut: Collection[str]) -> dict[str, Any]:
    """Build the authorization details of the account."""
    branch = "other" if "trust of GitHub" in cut else "main"
    name = "other" if "role annotation and trust" in cut else "reports"
    read = () if "bucket policy" in cut else (allow("s3:GetObject", BUCKET),)
    return {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [
            build_role(
                "deploy",
                _build_web_trust(GITHUB, f"repo:acme/web:ref:refs/heads/{branch}"),
                allow("eks:DescribeCluster", CLUSTER_ARN),
            ),
            build_role(
                "ledger",
                _build_web_trust(ISSUER, f"system:serviceaccount:apps:{name}"),
                allow("s3:ListAllMyBuckets", "*"),
                *read,
            ),
        ],
        "Policies": [],
        "IsTruncated": False,
    }


def _build_cluster(cut: Collection[str]) -> list[dict[str, Any]]:
    """Build the objects of the cluster."""
    verb = "get" if "pod creation" in cut else "create"
    rule = {"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}
    tokens = {
        "verbs": ["create"],
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
    }
    name = "others" if "group binding" in cut else "deployers"
    annotation = {"eks.amazonaws.com/role-arn": LEDGER}
    metadata = {} if "role annotation and trust" in cut else {"annotations": annotation}
    return [
        *bootstrap(),
        made("Namespace", "apps"),
        made("ServiceAccount", "reports", "apps", metadata=metadata),
        made("ServiceAccount", "builder", "apps"),
        role("pod-maker", "apps", rules=[rule]),
        binding("pod-makers", "apps", "pod-maker", group(name), cluster=False),
        role("token-maker", "apps", rules=[tokens]),
        binding(
            "token-makers", "apps", "token-maker", account("builder"), cluster=False
        ),
        pod("web-0", "apps", {"containers": [{"name": "c", "image": "web"}]}),
        pod("dns-0", "kube-system", {"containers": [{"name": "c", "image": "dns"}]}),
    ]


def _build_eks_answers(cut: Collection[str]) -> str:
    """Build the answers of `aws eks`, one after the other."""
    principals = [] if "access entry" in cut else [DEPLOY]
    answers: list[dict[str, Any]] = [
        {
            "cluster": {
                "name": "prod",
                "arn": CLUSTER_ARN,
                "version": "1.35",
                "identity": {"oidc": {"issuer": f"https://{ISSUER}"}},
                "accessConfig": {"authenticationMode": "API"},
            }
        },
        {"accessEntries": principals},
        {"associations": []},
    ]
    for principal in principals:
        answers += [
            {
                "accessEntry": {
                    "clusterName": "prod",
                    "principalArn": principal,
                    "kubernetesGroups": ["deployers"],
                    "username": "deployer",
                    "type": "STANDARD",
                }
            },
            {
                "clusterName": "prod",
                "principalArn": principal,
                "associatedAccessPolicies": [],
            },
        ]
    return "\n".join(map(json.dumps, answers))


def _build_home(holds: str) -> dict[str, str]:
    """Build a home whose kubeconfig has a token of a service account."""
    claims = json.dumps({"sub": f"system:serviceaccount:apps:{holds}"}).encode()
    body = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
    config = {
        "current-context": "prod",
        "contexts": [
            {"name": "prod", "context": {"cluster": CLUSTER_ARN, "user": "u"}}
        ],
        "users": [{"name": "u", "user": {"token": f"eyJhbGciOiJub25lIn0.{body}.c2ln"}}],
    }
    return {
        ".kube/config": json.dumps(config),
        ".claude.json": json.dumps({"mcpServers": {}}),
        ".claude/settings.json": json.dumps({"permissions": {"allow": ["Bash"]}}),
    }
