"""What a generator makes of the OpenAPI document finds nothing wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.federation.sample_tokens import EC, document, public, sign
from tests.gateway.serve.running_gateway import SECONDS
from tests.web.runtime.test_process import started

pytestmark = pytest.mark.world

ISS, API = "https://idp.example", "https://answerable.example/api"
# Well-formed, and of nothing that is here: 422 says so, and 409 of what was signed.
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = [200, 304, 403, 404, 409, 422]
negative_data_rejection.expected-statuses = [400, 403, 404, 405, 409, 414, 415, 422]
"""


def configuration(folder: Path, store: Path) -> Path:
    """People of one issuer, each everything here, with tokens for the API."""
    (folder / "keys.json").write_bytes(document(public(EC, kid="k1")))
    issuer = {
        "iss": ISS,
        "audience": "cli",
        "keys": "keys.json",
        "algs": ["ES256"],
        "bearer": True,
        "tokens": ["id-token", "access-token"],
        "person": "email",
    }
    roles = ["viewer", "investigator", "owner", "admin"]
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{free.getsockname()[1]}"
    web = {
        "url": f"http://{at}",
        "audience": API,
        "listen": [{"address": at}],
        "login": {"issuer": "corp", "client_id": "web", "default": roles},
    }
    said = {"store": str(store), "issuers": {"corp": issuer}, "web": web}
    path = folder / "answerable.yaml"
    path.write_text(json.dumps(said))
    return path


def token() -> str:
    now = int(time.time())
    said = {"iss": ISS, "sub": "a", "aud": API, "iat": now, "exp": now + 3_500}
    said |= {
        "jti": "j",
        "client_id": "script",
        "email": "ana@corp.example",
        "email_verified": True,
    }
    return sign({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}, said, EC)


def test_schemathesis_finds_nothing(estate: Path, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    path = configuration(tmp_path, estate / "store")
    words = ("serve", "--config", str(path), "--only", "web")
    process, said = started(*words, lines=1)
    try:
        ran = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run"),
                f"{said['web']}/api/v1/openapi.json",
                *("-n", os.environ.get("ANSWERABLE_EXAMPLES", "100")),
                *("--seed", "1", "--checks", "all"),
                *("-H", f"Authorization: Bearer {token()}"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=3_000,
            env={"PATH": os.environ["PATH"]},
        )
        assert ran.returncode == 0, ran.stdout[-6000:]
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert "request.failed" not in log
