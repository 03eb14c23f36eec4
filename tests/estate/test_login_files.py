"""Login files that a server entry names decide its identity, not the home's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.seven import ACCOUNT, Ask


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def config(default: str, ops: str) -> str:
    return (
        f"[default]\nrole_arn = {role(default)}\nsource_profile = base\n"
        f"[profile ops]\nrole_arn = {role(ops)}\nsource_profile = base\n"
    )


def cluster(current: str, *names: str) -> str:
    users = [{"name": f"{n}-user", "user": {"exec": {"command": "x"}}} for n in names]
    contexts = [
        {"name": n, "context": {"cluster": n, "user": f"{n}-user"}} for n in names
    ]
    document = {"current-context": current, "contexts": contexts, "users": users}
    return json.dumps(document)


FILES = {
    ".aws/config": config("home-default", "home-ops"),
    "work/aws": config("work-default", "work-ops"),
    "work/keys": "[default]\naws_access_key_id = AKIA6EQNFXABYWZ6AAVW\n"
    "aws_secret_access_key = CANARYsecret\n",
    ".kube/config": cluster("dev", "dev", "prod"),
    "work/kube": cluster("prod", "prod", "dev2"),
    "work/second": cluster("other", "other"),
}
KEY = "cred:aws/AKIA6EQNFXABYWZ6AAVW"


def listed(ask: Ask, root: Path, entry: dict[str, Any]) -> dict[str, Any]:
    home = root / "dana"
    servers = json.dumps({"mcpServers": {"aws-or-kube": {"command": "x", **entry}}})
    files = {**FILES, ".config/Claude/claude_desktop_config.json": servers}
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert ask(root / "store", "scan", f"home:{home}").code == 0
    (agent,) = ask(root / "store", "agents").items
    return next(t for t in agent["tools"] if t["id"].startswith("tool:mcp/"))


@pytest.mark.parametrize(
    ("env", "args", "identities"),
    [
        ({}, [], ["k8s:dev/user/dev-user", role("home-default")]),
        ({"AWS_CONFIG_FILE": "~/work/aws"}, [], [role("work-default")]),
        (
            {"AWS_CONFIG_FILE": "~/work/aws", "AWS_PROFILE": "ops"},
            [],
            [role("work-ops")],
        ),
        (
            {"AWS_CONFIG_FILE": "~/work/aws"},
            ["--profile", "ops"],
            [role("work-ops")],
        ),
        ({"AWS_PROFILE": "ops"}, [], [role("home-ops")]),
        ({"AWS_CONFIG_FILE": "/elsewhere/aws"}, [], []),
        ({"KUBECONFIG": "~/work/kube"}, [], ["k8s:prod/user/prod-user"]),
        (
            {"KUBECONFIG": "~/work/kube"},
            ["--context", "dev2"],
            ["k8s:dev2/user/dev2-user"],
        ),
        (
            {"KUBECONFIG": "~/work/second:~/work/kube"},
            [],
            ["k8s:other/user/other-user"],
        ),
    ],
)
def test_a_named_login_file_decides(
    tmp_path: Path,
    ask: Ask,
    env: dict[str, str],
    args: list[str],
    identities: list[str],
) -> None:
    tool = listed(ask, tmp_path, {"env": env, "args": args})
    assert sorted(tool["identities"]) == sorted(identities)
    named = {item["id"] for item in ask(tmp_path / "store", "identities").items}
    assert set(identities) <= named


def test_a_named_credentials_file_gives_its_default_key(
    tmp_path: Path, ask: Ask
) -> None:
    env = {"AWS_SHARED_CREDENTIALS_FILE": "~/work/keys", "AWS_CONFIG_FILE": "~/none"}
    tool = listed(ask, tmp_path, {"env": env})
    assert KEY in [each["id"] for each in tool["credentials"]]
    assert tool["identities"] == []
