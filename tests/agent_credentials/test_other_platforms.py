"""`kubectl-credential` and `git-credential`, by the protocols of their clients."""

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import config as kubernetes_config

from answerable.cli.main import main
from tests.agent_credentials.conftest import AGENT, NAME, Laptop
from tests.agent_credentials.token_services import (
    GITHUB_TOKEN,
    JTI,
    KUBERNETES_TOKEN,
    TokenService,
    token_service,
)
from tests.stored_contents import iterate_stored_contents

ACCOUNT = {"context": "own", "namespace": "dev", "service_account": "coder"}
PERMISSIONS = {"contents": "read"}
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def service() -> Iterator[TokenService]:
    with token_service() as found:
        yield found


def write_kubeconfig(laptop: Laptop, url: str, authority: Path | None = None) -> None:
    cluster = {"server": url}
    if authority is not None:
        cluster["certificate-authority"] = str(authority)
    file = laptop.home / ".kube" / "config"
    file.parent.mkdir(exist_ok=True)
    named = {"name": "own", "context": {"cluster": "prod", "user": "ana"}}
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "own",
                "contexts": [named],
                "clusters": [{"name": "prod", "cluster": cluster}],
                "users": [{"name": "ana", "user": {"token": "own-token"}}],
            }
        )
    )


def write_plugin_config(laptop: Laptop) -> Path:
    """Write the kubeconfig of the agent: the person's, with our exec plugin."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-m", "answerable", "kubectl-credential", "--agent", NAME],
        "interactiveMode": "Never",
        "env": None,
    }
    file = laptop.home / "of-the-agent"
    own = json.loads((laptop.home / ".kube" / "config").read_text())
    own["users"] = [{"name": "ana", "user": {"exec": plugin}}]
    file.write_text(json.dumps(own))
    return file


def sign_github(laptop: Laptop, url: str) -> None:
    key = rsa.generate_private_key(65537, 2048)
    file = laptop.home / "app.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    policy = {
        "app_id": "12",
        "installation_id": "34",
        "private_key_file": str(file),
        "repositories": ["web"],
        "permissions": PERMISSIONS,
        "api": url,
    }
    assert laptop.sign("--for", "github", policy=policy) == 0


def test_kubectl_gets_a_token_of_the_signed_service_account(
    laptop: Laptop, service: TokenService, capsys: Capture, monkeypatch
) -> None:
    write_kubeconfig(laptop, service.url)
    assert laptop.sign("--for", "kubernetes", policy=ACCOUNT) == 0
    monkeypatch.setenv("KUBECONFIG", str(laptop.home / "of-the-agent"))
    capsys.readouterr()
    for _ in range(2):
        assert main(["kubectl-credential", "--agent", NAME]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    said = json.loads(first)
    assert (said["apiVersion"], said["kind"]) == (
        "client.authentication.k8s.io/v1",
        "ExecCredential",
    )
    assert said["status"]["token"] == KUBERNETES_TOKEN
    ((path, caller, given),) = service.calls
    assert path == "/api/v1/namespaces/dev/serviceaccounts/coder/token"
    assert caller == "Bearer own-token"
    assert given["spec"]["expirationSeconds"] == 1800
    assert main(["kill", AGENT, "-o", "json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert f"cred:k8s-jti/{JTI}" in [each["id"] for each in items]
    assert main(["kubectl-credential", "--agent", NAME]) == 5
    assert capsys.readouterr().out == ""


def test_the_official_client_takes_the_token_by_the_exec_plugin(
    laptop: Laptop, service: TokenService
) -> None:
    write_kubeconfig(laptop, service.url)
    assert laptop.sign("--for", "kubernetes", policy=ACCOUNT) == 0
    file = write_plugin_config(laptop)
    api = kubernetes_config.new_client_from_config(str(file), persist_config=False)
    assert api.configuration.api_key["BearerToken"] == (f"Bearer {KUBERNETES_TOKEN}")


def test_git_gets_a_narrowed_installation_token(
    laptop: Laptop, service: TokenService
) -> None:
    sign_github(laptop, service.url)
    helper = f"!{sys.executable} -m answerable git-credential --agent {NAME}"
    done = subprocess.run(
        ["git", "-c", f"credential.helper={helper}", "credential", "fill"],
        input="protocol=https\nhost=github.com\n\n",
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert (said["username"], said["password"]) == ("x-access-token", GITHUB_TOKEN)
    assert int(said["password_expiry_utc"]) > 0
    ((path, proof, given),) = service.calls
    assert path == "/app/installations/34/access_tokens"
    assert given == {"repositories": ["web"], "permissions": PERMISSIONS}
    claims = proof.split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert decoded["iss"] == "12"


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("get", "protocol=https\nhost=evil.example\n"),
        ("get", "protocol=http\nhost=github.com\n"),
        ("store", "protocol=https\nhost=github.com\npassword=x\n"),
        ("erase", "protocol=https\nhost=github.com\n"),
    ],
)
def test_other_hosts_and_operations_get_no_answer(
    laptop: Laptop,
    service: TokenService,
    operation: str,
    asked: str,
    capsys,
    monkeypatch,
) -> None:
    sign_github(laptop, service.url)
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO(asked))
    assert main(["git-credential", "--agent", NAME, operation]) == 0
    assert capsys.readouterr().out == ""
    assert service.calls == []


def test_a_github_token_is_recorded_by_its_digest_and_nowhere_in_the_store(
    laptop: Laptop, service: TokenService, capsys: Capture, monkeypatch
) -> None:
    sign_github(laptop, service.url)
    monkeypatch.setattr("sys.stdin", io.StringIO("protocol=https\nhost=github.com\n"))
    assert main(["git-credential", "--agent", NAME, "get"]) == 0
    capsys.readouterr()
    query = "SELECT issued, person FROM lineage WHERE source = 'credential-broker'"
    assert main(["sql", query, "-o", "json"]) in (0, 3)
    said = capsys.readouterr().out
    digest = hashlib.sha256(GITHUB_TOKEN.encode()).hexdigest()
    assert f"cred:token/{digest}" in said
    for path in (each for each in laptop.store.rglob("*") if each.is_file()):
        for content in iterate_stored_contents(path):
            assert GITHUB_TOKEN[:40].encode() not in content


@pytest.mark.parametrize("platform", ["kubernetes", "github"])
def test_a_refusal_of_the_platform_is_said_without_a_token(
    laptop: Laptop, service: TokenService, capsys: Capture, platform: str, monkeypatch
) -> None:
    service.status = 403
    write_kubeconfig(laptop, service.url)
    if platform == "github":
        sign_github(laptop, service.url)
        service.status = 422
    else:
        laptop.sign("--for", "kubernetes", policy=ACCOUNT)
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("protocol=https\nhost=github.com\n"))
    command = {"kubernetes": "kubectl-credential", "github": "git-credential"}[platform]
    more = ("get",) if platform == "github" else ()
    assert main([command, "--agent", NAME, *more]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert "canary" not in said.err


def test_boto3_takes_the_session_by_credential_process(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.sign()
    command = f"{sys.executable} -m answerable aws credential-process --agent {NAME}"
    with (laptop.home / ".aws" / "config").open("a") as file:
        file.write(f"[profile coder]\ncredential_process = {command}\n")
    found = boto3.Session(profile_name="coder").get_credentials()
    assert found.method == "custom-process"
    assert found.access_key.startswith("ASIAQLBAMOKZ5C")
    assert laptop.sts.operations() == ["GetScopedCredentials"]
