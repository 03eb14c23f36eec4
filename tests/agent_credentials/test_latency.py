"""Measure `aws credential-process` from its cache, as an SDK starts it."""

import resource
import subprocess
import sys
from statistics import median

import pytest

from tests.agent_credentials.conftest import NAME, Laptop

pytestmark = pytest.mark.bench
LIMIT = 0.25  # seconds of processor time


def test_a_cached_session_costs_a_quarter_of_a_second_at_most(laptop: Laptop) -> None:
    laptop.sign()
    words = [sys.executable, "-m", "answerable", "aws", "credential-process"]
    took = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*words, "--agent", NAME], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert median(took[1:]) <= LIMIT, took
    assert laptop.sts.operations() == ["GetScopedCredentials"]
