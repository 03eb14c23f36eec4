"""What a generator makes of the OpenAPI document finds nothing wrong."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.serve.stage import SECONDS
from tests.web.serve.test_serve import Browser, started

pytestmark = pytest.mark.world

# Well-formed, and of nothing that is here: 422 says so, and 409 of what was signed.
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = [200, 304, 403, 404, 409, 422]
negative_data_rejection.expected-statuses = [400, 403, 404, 409, 414, 415, 422]
"""


def test_schemathesis_finds_nothing(estate: Path, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    words = ("serve", "--only", "web", "--listen", "127.0.0.1:0")
    process, said = started("--store", str(estate / "store"), *words, lines=2)
    try:
        browser = Browser(said["web"].removeprefix("http://"))
        assert browser.sign_in(said["sign-in"]) == 303
        page = browser.ask("GET", "/agents")[2]
        token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        ran = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run"),
                f"{said['web']}/api/v1/openapi.json",
                *("-n", os.environ.get("ANSWERABLE_EXAMPLES", "100")),
                *("--seed", "1", "--checks", "all", "--workers", "2"),
                *("-H", f"Cookie: {browser.cookie}", "-H", f"X-CSRF-Token: {token}"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=1_800,
            env={"PATH": os.environ["PATH"]},
        )
        assert ran.returncode == 0, ran.stdout[-6000:]
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert "request.failed" not in log
