"""What was asked lately is kept in bounds, and shown nowhere."""

import msgspec

from answerable.gateway.replay_buffer import MAX_ARGUMENT_BYTES, ReplayBuffer
from answerable.model.decision import AuthorizationRequest
from tests.authorization.config_strategies import request


def asked(number: int, size: int = 0) -> AuthorizationRequest:
    body = b"x" * (size + 100)
    arguments = memoryview(body)[:size] if size else b""
    return msgspec.structs.replace(request(str(number)), arguments=arguments)


def test_the_last_calls_are_kept() -> None:
    recent = ReplayBuffer(most=3)
    for number in range(5):
        recent.append(asked(number))
    assert [each.name for each in recent.list_requests()] == ["2", "3", "4"]
    assert recent.skipped_count == 0


def test_arguments_have_a_bound_together() -> None:
    recent = ReplayBuffer(most_bytes=1000)
    for number in range(50):
        recent.append(asked(number, 300))
    assert [each.name for each in recent.list_requests()] == ["47", "48", "49"]
    recent.append(asked(50, 1000))
    assert [each.name for each in recent.list_requests()] == ["50"]


def test_a_call_with_large_arguments_is_counted_and_not_kept() -> None:
    recent = ReplayBuffer(most=3)
    recent.append(asked(1))
    recent.append(asked(2, MAX_ARGUMENT_BYTES + 1))
    assert ([each.name for each in recent.list_requests()], recent.skipped_count) == (
        ["1"],
        1,
    )
    for number in range(3):
        recent.append(asked(number))
    assert recent.skipped_count == 0


def test_a_piece_of_a_body_does_not_keep_the_body() -> None:
    recent = ReplayBuffer()
    recent.append(asked(1, 4))
    (kept,) = recent.list_requests()
    assert kept.arguments == b"xxxx"
    assert isinstance(kept.arguments, bytes)


def test_arguments_that_stand_alone_are_kept_as_they_are() -> None:
    recent = ReplayBuffer()
    alone = msgspec.structs.replace(request(), arguments=memoryview(b"{}"))
    recent.append(alone)
    assert recent.list_requests()[0] is alone


def test_it_shows_no_arguments_when_it_is_printed() -> None:
    recent = ReplayBuffer()
    recent.append(asked(1, 4))
    assert "xxxx" not in repr(recent)
