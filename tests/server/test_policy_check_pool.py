import subprocess
import threading
from collections.abc import Iterator

import pytest

from answerable.authorization.cedar.lexer import PolicyText, split_policies
from answerable.authorization.cedar.validation import validate_policies
from answerable.server import policy_check_pool
from answerable.server.policy_check_pool import check_policies
from tests.authorization.cedar.faulty_policies import planted


def _pieces(count: int) -> list[PolicyText]:
    text, _ = planted(count)
    return list(split_policies(text))


def test_a_large_set_is_judged_apart_as_it_is_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy_check_pool, "BATCH_SIZE", 20)
    monkeypatch.setattr(policy_check_pool.os, "cpu_count", lambda: 3)
    # A set that is judged here would be judged by this.
    monkeypatch.setattr(policy_check_pool, "validate_policies", lambda *_: [])
    pieces = _pieces(60)
    for apart, here in zip(
        check_policies(pieces), validate_policies(pieces), strict=True
    ):
        assert apart.rule == here.rule
        assert sorted(apart.faults) == sorted(here.faults)


@pytest.mark.parametrize(
    "module",
    [
        "answerable.nothing",  # ends at once
        "this",  # says something else
    ],
)
def test_a_process_that_does_not_answer_leaves_nothing_unjudged(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setattr(policy_check_pool, "BATCH_SIZE", 20)
    monkeypatch.setattr(policy_check_pool, "_MODULE", module)
    pieces = _pieces(40)
    judged = check_policies(pieces)
    assert [each.rule for each in judged] == [
        each.rule for each in validate_policies(pieces)
    ]


def test_no_process_at_all_leaves_nothing_unjudged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(policy_check_pool, "BATCH_SIZE", 20)
    pieces = _pieces(40)
    judged = check_policies(pieces)
    assert [each.rule for each in judged] == [
        each.rule for each in validate_policies(pieces)
    ]


def test_judges_have_begun_before_the_last_policy_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy_check_pool, "BATCH_SIZE", 20)
    pieces = _pieces(60)
    begun = threading.Event()
    start = policy_check_pool._CheckerPool._start_process

    def told(self: policy_check_pool._CheckerPool) -> None:
        start(self)
        begun.set()

    monkeypatch.setattr(policy_check_pool._CheckerPool, "_start_process", told)

    def one_by_one() -> Iterator[PolicyText]:
        yield from pieces[:40]
        assert begun.wait(60)
        yield from pieces[40:]

    judged = check_policies(one_by_one())
    assert [each.rule for each in judged] == [
        each.rule for each in validate_policies(pieces)
    ]


def test_a_small_set_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert len(check_policies(_pieces(40))) > 40
