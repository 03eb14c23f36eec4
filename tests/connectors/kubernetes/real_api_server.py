"""kube-apiserver and etcd, started for a test on loopback addresses."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / ".kube-apiserver" / "kube-apiserver"
ADMIN = "admin-token-of-a-test"
ISSUER = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class ApiServer:
    """A running API server.

    Attributes:
        url: Its address.
        folder: Files of it; `apiserver.crt` is its certificate.
    """

    url: str
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "apiserver.crt"

    def call(
        self, method: str, path: str, body: Any = None, *, token: str = ADMIN
    ) -> tuple[int, Any]:
        """Send a request; return the status and the parsed answer."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.check_hostname = False
        request = urllib.request.Request(  # noqa: S310 - https alone
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, context=context, timeout=60) as answer:  # noqa: S310
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:  # `/readyz` answers with plain text
            return status, {"message": text.decode(errors="replace")}

    def create(self, path: str, body: Any) -> dict[str, Any]:
        """Create an object; it must be accepted."""
        status, answer = self.call("POST", path, body)
        assert status == 201, (path, answer)
        found: dict[str, Any] = answer
        return found

    def issue_token(self, namespace: str, name: str, *audiences: str) -> str:
        """Issue a token of a service account (TokenRequest)."""
        answer = self.create(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"audiences": list(audiences)},
            },
        )
        token: str = answer["status"]["token"]
        return token

    def write_kubeconfig(self, path: Path, token: str = ADMIN) -> Path:
        """Write a kubeconfig for a token."""
        cluster = {
            "server": self.url,
            "certificate-authority": str(self.certificate),
            "tls-server-name": "kubernetes",
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "main",
            "contexts": [{"name": "main", "context": {"cluster": "prod", "user": "u"}}],
            "clusters": [{"name": "prod", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path


def _find_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _write_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


@contextmanager
def _run(log: Path, *command: object) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=output,
            env={**os.environ, "ETCD_UNSUPPORTED_ARCH": os.uname().machine},
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def run_api_server(folder: Path) -> Iterator[ApiServer]:
    """Run both; RBAC decides, and no admission plugin writes objects.

    Args:
        folder: Where their files go.
    """
    etcd = shutil.which("etcd")
    if not PROGRAM.exists() or etcd is None:
        pytest.skip("needs kube-apiserver and etcd: make api-server")
    client, peer, port = _find_port(), _find_port(), _find_port()
    _write_key(folder / "accounts.key")
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')
    store = f"http://127.0.0.1:{client}"
    others = f"http://127.0.0.1:{peer}"
    with (
        _run(
            folder / "etcd.log",
            etcd,
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={store}",
            f"--advertise-client-urls={store}",
            f"--listen-peer-urls={others}",
            f"--initial-advertise-peer-urls={others}",
            f"--initial-cluster=default={others}",
            "--unsafe-no-fsync",
        ),
        _run(
            folder / "api-server.log",
            PROGRAM,
            f"--etcd-servers={store}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            f"--cert-dir={folder}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            f"--token-auth-file={folder / 'tokens.csv'}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={folder / 'accounts.key'}",
            f"--service-account-signing-key-file={folder / 'accounts.key'}",
        ) as process,
    ):
        server = ApiServer(f"https://127.0.0.1:{port}", folder)
        _wait(server, process)
        yield server


def _wait(server: ApiServer, process: subprocess.Popen[bytes]) -> None:
    """Wait until the default roles and namespaces are there."""
    paths = ("/readyz", "/api/v1/namespaces/kube-system")
    for _ in range(600):
        assert process.poll() is None, (server.folder / "api-server.log").read_text()
        try:
            if all(server.call("GET", path)[0] == 200 for path in paths):
                return
        except OSError:
            pass  # not listening yet, or without a certificate
        time.sleep(0.2)
    raise AssertionError((server.folder / "api-server.log").read_text()[-2000:])
