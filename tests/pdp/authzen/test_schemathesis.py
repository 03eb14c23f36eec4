"""What a generator makes of the OpenAPI document finds nothing wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.serve.running_gateway import configuration, serving, token_of

pytestmark = pytest.mark.world

ROOT = Path(__file__).parents[3]
POINT = {
    "listen": [{"address": "127.0.0.1:0"}],
    "callers": [{"issuer": "corp", "sub": "pep"}],
}


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    said = configuration(9, decisions=POINT)
    with serving(tmp_path, said, "--only", "decisions", lines=1) as served:
        at = f"http://{served.decisions}"  # type: ignore[attr-defined]
        ran = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run"),
                f"{at}/access/v1/openapi.json",
                *("-n", "100", "--seed", "1", "--checks", "all"),
                *("-H", f"Authorization: Bearer {token_of('pep')}"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.pdp.authzen.opaque_tokens",
            },
        )
        assert ran.returncode == 0, ran.stdout[-4000:]
        assert [line for line in served.log if line["event"] == "text"] == []
