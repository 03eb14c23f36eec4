import subprocess

import pytest

from answerable.enforce.cedar.judging import judge
from answerable.enforce.cedar.lexis import Piece, split
from answerable.serving import judging
from answerable.serving.judging import judged_apart
from tests.enforce.cedar.planted import planted


def _pieces(count: int) -> list[Piece]:
    text, _ = planted(count)
    return list(split(text))


def test_a_large_set_is_judged_apart_as_it_is_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "SHARE", 20)
    monkeypatch.setattr(judging.os, "cpu_count", lambda: 3)
    # A set that is judged here would be judged by this.
    monkeypatch.setattr(judging, "judge", lambda part: [])
    pieces = _pieces(60)
    for apart, here in zip(judged_apart(pieces), judge(pieces), strict=True):
        assert apart.rule == here.rule
        assert sorted(apart.faults) == sorted(here.faults)


def test_a_process_that_does_not_answer_leaves_nothing_unjudged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "SHARE", 20)
    monkeypatch.setattr(judging, "_MODULE", "answerable.nothing")
    pieces = _pieces(40)
    judged = judged_apart(pieces)
    assert [each.rule for each in judged] == [each.rule for each in judge(pieces)]


def test_a_small_set_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subprocess, "run", refuse)
    assert len(judged_apart(_pieces(40))) > 40
