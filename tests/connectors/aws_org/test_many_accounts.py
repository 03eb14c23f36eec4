"""A live scan of 200 accounts, measured as a user runs it; `make world`."""

import json
import os
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
    words = [
        *(sys.executable, "-m", "answerable", "--store", str(tmp_path / "store")),
        *("scan", "aws-org:", "--endpoint-url", fresh, "--regions", REGION),
        *("-o", "json"),
    ]
    names = (tmp_path / "scan.out", tmp_path / "scan.err")
    began = time.monotonic()
    with names[0].open("wb") as out, names[1].open("wb") as err:
        child = subprocess.Popen(words, stdout=out, stderr=err)
        _, status, used = os.wait4(child.pid, 0)  # of this child alone
    child.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    peak, cpu = used.ru_maxrss / 1024, used.ru_utime + used.ru_stime
    with capsys.disabled():
        said = f"{took:.0f} s, {cpu:.0f} s of processor, {peak:.0f} MiB"
        sys.stdout.write(f"\n{ACCOUNTS} accounts: {said}\n")
    assert child.returncode == 0, names[1].read_text()
    assert len(json.loads(names[0].read_text())["items"]) == 1 + ACCOUNTS
    assert took <= SECONDS
    assert peak <= MEBIBYTES
