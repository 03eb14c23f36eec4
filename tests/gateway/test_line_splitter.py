"""A pipe's lines are the same however its bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.gateway.wire.line_splitter import LineSplitter
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from tests.gateway.request_builders import sliced, steps

PIPES = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b"{}", b"x" * 9, b"\xc2\x85", b"\x0c", b" "]
    ),
    max_size=20,
).map(b"".join)


def cut(*slices: bytes, most: int = 100) -> list[bytes | RefusalReason]:
    lines = LineSplitter(most)
    found = [each for data in slices for each in lines.feed(data)]
    end = lines.finish()
    ends = [] if end is None else [end]
    return [e.why if isinstance(e, RequestRefused) else e for e in [*found, *ends]]


@given(PIPES, st.lists(st.integers(0, 99), max_size=9))
def test_however_a_pipe_is_sliced_the_same_lines_come_out(
    pipe: bytes, cuts: list[int]
) -> None:
    *whole, rest = pipe.split(b"\n")
    expected: list[bytes | RefusalReason] = [
        line.removesuffix(b"\r") for line in whole if line not in (b"", b"\r")
    ]
    expected += [RefusalReason.CUT_SHORT] if rest else []
    assert cut(pipe, most=1000) == expected
    assert cut(*sliced(pipe, cuts), most=1000) == expected


@given(PIPES, st.lists(st.integers(0, 99), max_size=9))
def test_a_line_that_is_too_large_ends_the_reading(
    pipe: bytes, cuts: list[int]
) -> None:
    assert cut(*sliced(pipe, cuts), most=10) == cut(pipe, most=10)


def test_a_line_may_be_as_large_as_is_said_and_no_larger() -> None:
    assert cut(b"x" * 100 + b"\n") == [b"x" * 100]
    assert cut(b"a\n" + b"x" * 101 + b"\nb\n") == [b"a", RefusalReason.BODY_TOO_LARGE]
    assert cut(*[b"x"] * 200) == [RefusalReason.BODY_TOO_LARGE]


@pytest.mark.parametrize("piece", [b"x", b"\n", b"x\n"])
def test_steps_grow_with_bytes_and_no_faster(piece: bytes) -> None:
    assert steps(lambda: cut(*[piece] * 2000, most=9999)) <= 10 + 2 * steps(
        lambda: cut(*[piece] * 1000, most=9999)
    )
