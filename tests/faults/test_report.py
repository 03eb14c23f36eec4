"""`make faults` on a busy machine: a kind of fault without a verdict is named as such."""

import random
import subprocess
from collections.abc import Iterator

import pytest

from tests.faults import __main__ as faults
from tests.faults.counts import Count


def holds(kills: int, _: random.Random) -> Iterator[Count]:
    yield Count("b", tried=kills)


def loses(kills: int, _: random.Random) -> Iterator[Count]:
    yield Count("c", tried=kills, lost=1)


def starves(_: int, __: random.Random) -> Iterator[Count]:
    yield Count("a", tried=1)
    raise subprocess.TimeoutExpired(["serve"], 120)


def test_a_harness_timeout_is_no_verdict_and_the_other_faults_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kinds, code in (
        ({"starves": starves, "holds": holds}, 2),
        ({"starves": starves, "loses": loses}, 1),
        ({"holds": holds}, 0),
    ):
        monkeypatch.setattr(faults, "FAULTS", kinds)
        assert faults.report([*kinds], 3, 1, 1) == code
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == [
        "a",
        "starves:",
        "b",
        "a",
        "starves:",
        "c",
        "b",
    ]
    assert "NO VERDICT (TimeoutExpired: " in told[1]
