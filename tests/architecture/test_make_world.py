"""`make world`: its needs are checked first, and browsers run in their own process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import NEEDS, NO_TESTS, Need, lacking, outcome


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    absent = Need("chromium", "pages", "apt-get install chromium", lambda: False)
    present = Need("npm", "clients", "apt-get install npm", lambda: True)
    needs = (absent, present)
    assert lacking([], needs) == ["chromium: pages; apt-get install chromium"]
    assert lacking(["chromium"], needs) == []


def test_the_check_needs_no_package(root: Path) -> None:
    names = [need.name for need in NEEDS]
    command = [sys.executable, "-I", "-S", str(root / "tests/world.py"), "--needs"]
    done = subprocess.run(
        [*command, "--without", *names], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_check_comes_before_anything_is_installed(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    rule = re.findall(r"^world: (.*)$", makefile, re.MULTILINE)
    assert rule[0].split()[0] == "needs"


@pytest.mark.parametrize(
    ("codes", "ends"),
    [
        ([0, 0], 0),
        ([0, NO_TESTS], 0),
        ([NO_TESTS, 0], 0),
        ([NO_TESTS, NO_TESTS], NO_TESTS),
        ([1, 0], 1),
        ([0, 2], 2),
        ([NO_TESTS, 1], 1),
    ],
)
def test_one_failing_group_fails_the_whole(codes: list[int], ends: int) -> None:
    assert outcome(codes) == ends
