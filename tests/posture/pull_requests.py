"""Pull requests as fixtures: two checkouts, or a Terraform plan."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from answerable.cli.sample.fake_access_keys import make_fake_secret

Files = dict[str, str]
SECRET = make_fake_secret("payments")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
BASE: Mapping[str, str] = {
    ".git/config": '[remote "origin"]\n\turl = https://github.com/acme/shop.git\n',
    ".mcp.json": json.dumps(
        {"mcpServers": {"docs": {"type": "http", "url": "https://docs.example/mcp"}}}
    ),
    ".claude/agents/reviewer.md": "---\nname: reviewer\ndescription: reviews\n"
    "tools: Read\npermissionMode: default\n---\nReview.\n",
    ".github/workflows/ai.yml": "on: [pull_request]\npermissions: {contents: read}\n"
    "jobs:\n  fix:\n    runs-on: ubuntu-latest\n    steps:\n"
    "      - uses: anthropics/claude-code-action@v1\n",
    "deploy/bot.yaml": "apiVersion: v1\nkind: ServiceAccount\n"
    "metadata: {name: bot, namespace: ci}\n",
    "README.md": "shop\n",
}
BINDING = """---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bot-admin}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: bot, namespace: ci}]
"""


def _add_server(files: Files) -> None:
    config = json.loads(files[".mcp.json"])
    config["mcpServers"]["pay"] = {
        "command": "npx",
        "args": ["-y", "@acme/pay"],
        "env": {"PAY_API_KEY": SECRET},
    }
    files[".mcp.json"] = json.dumps(config)


def _replace(name: str, old: str, new: str) -> Callable[[Files], None]:
    def edit(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return edit


def _bind(files: Files) -> None:
    files["deploy/bot.yaml"] += BINDING


def _refactor(files: Files) -> None:
    files["README.md"] = "The shop.\n"
    files["deploy/robot.yaml"] = files.pop("deploy/bot.yaml")
    reviewer = ".claude/agents/reviewer.md"
    files[reviewer] = files[reviewer].replace("reviews", "reviews code")
    files[".mcp.json"] = json.dumps(json.loads(files[".mcp.json"]), indent=2)


# Each pull request with the changes it must show: kind and a part of the line.
CHECKOUTS: Mapping[str, tuple[Callable[[Files], None], Sequence[tuple[str, str]]]] = {
    "server added with a key": (
        _add_server,
        (("credential", "PAY_API_KEY"), ("tool", "+ tool:mcp/pay/*: stdio")),
    ),
    "subagent made unattended": (
        _replace(".claude/agents/reviewer.md", "default", "bypassPermissions"),
        (("agent", "reviewer: unattended no -> yes"),),
    ),
    "workflow given id-token": (
        _replace(
            ".github/workflows/ai.yml",
            "contents: read",
            "contents: read, id-token: write",
        ),
        (("agent", "contents: read, id-token: write"),),
    ),
    "RBAC bind": (
        _bind,
        (
            (
                "permission",
                "+ * on k8s:checkout/*/* via k8s:checkout/ci/serviceaccount/bot",
            ),
        ),
    ),
    "harmless refactor": (_refactor, ()),
}


def write_checkouts(root: Path, edit: Callable[[Files], None]) -> tuple[Path, Path]:
    """Write the base and the head of a pull request."""
    head = dict(BASE)
    edit(head)
    for name, files in (("base", BASE), ("head", head)):
        for path, text in files.items():
            target = root / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    return root / "base", root / "head"


def build_resource(address: str, values: Mapping[str, object]) -> dict[str, Any]:
    """Build a managed resource of a plan."""
    kind, _, name = address.rpartition(".")
    return {
        "address": address,
        "mode": "managed",
        "type": kind.rpartition(".")[2],
        "name": name,
        "values": dict(values),
    }


def build_role(action: str) -> list[dict[str, Any]]:
    """Build a role that may do one action on a bucket."""
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::data/*"}
        ],
    }
    return [
        build_resource(
            "aws_iam_role.reader",
            {
                "name": "data-reader",
                "path": "/",
                "arn": "arn:aws:iam::123456789012:role/data-reader",
                "assume_role_policy": json.dumps(TRUST),
            },
        ),
        build_resource(
            "aws_iam_role_policy.read",
            {"name": "read", "role": "data-reader", "policy": json.dumps(document)},
        ),
    ]


def build_plan(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    changes: Sequence[Mapping[str, Any]] = (),
    configuration: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the JSON of `terraform show -json PLAN`.

    Args:
        changes: Entries beside those of the listed resources.
    """
    states = [{each["address"]: each for each in side} for side in (before, after)]
    listed = [
        _build_change(*(state.get(address) for state in states))
        for address in {**states[0], **states[1]}
    ]
    return {
        "format_version": "1.2",
        "terraform_version": "1.13.0",
        "prior_state": {"values": {"root_module": {"resources": list(before)}}},
        "planned_values": {"root_module": {"resources": list(after)}},
        "resource_changes": [*listed, *changes],
        "configuration": configuration or {"root_module": {}},
    }


def _build_change(
    was: Mapping[str, Any] | None, will: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Build the entry of a resource in `resource_changes`."""
    actions = ["no-op"] if was == will else ["update"]
    if was is None or will is None:
        actions = ["create"] if was is None else ["delete"]
    known = {key: text for key, text in (will or was or {}).items() if key != "values"}
    before, after = (each and each["values"] for each in (was, will))
    change = {"actions": actions, "before": before, "after": after}
    return {**known, "change": change}


def _build_binding(role: str) -> dict[str, Any]:
    """Build a binding of the service account ci/bot to a cluster role."""
    return build_resource(
        "kubernetes_cluster_role_binding_v1.bot",
        {
            "metadata": [{"name": "bot-binding"}],
            "role_ref": [
                {
                    "api_group": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": role,
                }
            ],
            "subject": [
                {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
            ],
        },
    )


_BOT = build_resource(
    "kubernetes_service_account_v1.bot",
    {"metadata": [{"name": "bot", "namespace": "ci"}]},
)
_DESCRIBED = build_role("s3:GetObject")
_DESCRIBED[0]["values"]["description"] = "Reads the data."
# Each plan with the lines that it must show.
PLANS: Mapping[str, tuple[dict[str, Any], Sequence[str]]] = {
    "role policy widened": (
        build_plan(build_role("s3:GetObject"), build_role("s3:*")),
        ("~ s3:* on arn:aws:s3:::data/* via role/data-reader: only-if -> always",),
    ),
    "RBAC bind": (
        build_plan([_BOT], [_BOT, _build_binding("cluster-admin")]),
        ("+ * on k8s:checkout/*/* via k8s:checkout/ci/serviceaccount/bot",),
    ),
    "harmless refactor": (
        build_plan([*build_role("s3:GetObject"), _BOT], [_BOT, *reversed(_DESCRIBED)]),
        (),
    ),
}
