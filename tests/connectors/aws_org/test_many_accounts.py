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
        peak, cpu = _watched(child)
    took = time.monotonic() - began
    with capsys.disabled():
        said = f"{took:.0f} s, {cpu:.0f} s of processor, {peak:.0f} MiB"
        sys.stdout.write(f"\n{ACCOUNTS} accounts: {said}\n")
    assert child.returncode == 0, names[1].read_text()
    assert len(json.loads(names[0].read_text())["items"]) == 1 + ACCOUNTS
    assert took <= SECONDS
    assert peak <= MEBIBYTES


def _watched(child: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Wait for a process; give its peak memory in MiB and its processor seconds.

    `ru_maxrss` would count the memory of the process that started it, too.
    """
    peak = 0
    status = Path(f"/proc/{child.pid}/status")
    while (ended := os.wait4(child.pid, os.WNOHANG))[0] == 0:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = max(peak, int(line.split()[1]))
        time.sleep(0.1)
    child.returncode = os.waitstatus_to_exitcode(ended[1])
    return peak / 1024, ended[2].ru_utime + ended[2].ru_stime
