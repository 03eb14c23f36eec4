"""What was asked lately is kept in bounds, and shown nowhere."""

import msgspec

from answerable.gateway.replay_buffer import MOST_ARGUMENTS, Recent
from answerable.model.decision import Request
from tests.authorization.config_strategies import request


def asked(number: int, size: int = 0) -> Request:
    body = b"x" * (size + 100)
    arguments = memoryview(body)[:size] if size else b""
    return msgspec.structs.replace(request(str(number)), arguments=arguments)


def test_the_last_calls_are_kept() -> None:
    recent = Recent(most=3)
    for number in range(5):
        recent.keep(asked(number))
    assert [each.name for each in recent.requests()] == ["2", "3", "4"]
    assert recent.left_out == 0


def test_arguments_have_a_bound_together() -> None:
    recent = Recent(most_bytes=1000)
    for number in range(50):
        recent.keep(asked(number, 300))
    assert [each.name for each in recent.requests()] == ["47", "48", "49"]
    recent.keep(asked(50, 1000))
    assert [each.name for each in recent.requests()] == ["50"]


def test_a_call_with_large_arguments_is_counted_and_not_kept() -> None:
    recent = Recent(most=3)
    recent.keep(asked(1))
    recent.keep(asked(2, MOST_ARGUMENTS + 1))
    assert ([each.name for each in recent.requests()], recent.left_out) == (["1"], 1)
    for number in range(3):
        recent.keep(asked(number))
    assert recent.left_out == 0


def test_a_piece_of_a_body_does_not_keep_the_body() -> None:
    recent = Recent()
    recent.keep(asked(1, 4))
    (kept,) = recent.requests()
    assert kept.arguments == b"xxxx"
    assert isinstance(kept.arguments, bytes)


def test_arguments_that_stand_alone_are_kept_as_they_are() -> None:
    recent = Recent()
    alone = msgspec.structs.replace(request(), arguments=memoryview(b"{}"))
    recent.keep(alone)
    assert recent.requests()[0] is alone


def test_it_shows_no_arguments_when_it_is_printed() -> None:
    recent = Recent()
    recent.keep(asked(1, 4))
    assert "xxxx" not in repr(recent)
