"""Our Envoy messages against the Envoy API itself, in an environment of its own."""

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.world


def test_messages_equal_those_of_the_envoy_api(root: Path) -> None:
    python = root / ".envoy/bin/python"
    if not python.exists():
        pytest.skip("needs .envoy: make world")
    done = subprocess.run(
        [str(python), "-B", str(root / "tests/pdp/envoy/upstream.py"), str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
