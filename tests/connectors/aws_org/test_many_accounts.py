"""A live scan of 200 accounts, measured as a user runs it; `make world`."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.connectors.aws_org.conftest import REGION, build

ACCOUNTS = 200
SECONDS = 300
MEBIBYTES = 300


@pytest.mark.world
def test_two_hundred_accounts_are_read_in_five_minutes(
    fresh: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(fresh, ACCOUNTS - 1)
    began = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "answerable", "--store", str(tmp_path / "store")),
            *("scan", "aws-org:", "--endpoint-url", fresh, "--regions", REGION),
            *("-o", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    took = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak, cpu = used.ru_maxrss / 1024, used.ru_utime + used.ru_stime
    with capsys.disabled():
        said = f"{took:.0f} s, {cpu:.0f} s of processor, {peak:.0f} MiB"
        sys.stdout.write(f"\n{ACCOUNTS} accounts: {said}\n")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["items"]) == 1 + ACCOUNTS
    assert took <= SECONDS
    assert peak <= MEBIBYTES
