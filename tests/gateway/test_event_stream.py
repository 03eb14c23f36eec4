"""Events come out as a browser would find them, in whatever slices the bytes come."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from answerable.gateway.wire.event_stream import BOM, SseEvent, SseParser
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from tests.gateway.request_builders import sliced


def cut(*slices: bytes) -> list[SseEvent]:
    events = SseParser()
    found = [each for data in slices for each in events.feed(data)]
    whole = [each for each in found if isinstance(each, SseEvent)]
    assert b"".join([e.raw for e in whole] + [events.unfinished_bytes()]) == b"".join(
        slices
    )
    return whole


# The examples of HTML 9.2.6, "Interpreting an event stream".
def test_lines_of_data_are_joined() -> None:
    assert cut(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [SseEvent(b"YHOO\n+2\n10")]


def test_comments_ids_and_missing_spaces() -> None:
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert cut(stream) == [
        SseEvent(None),
        SseEvent(b"first event", id=b"1"),
        SseEvent(b"second event", id=b""),
        SseEvent(b" third event"),
    ]


def test_an_empty_line_of_data_is_data_and_an_open_event_is_none() -> None:
    assert cut(b"data\n\ndata\ndata\n\ndata:") == [SseEvent(b""), SseEvent(b"\n")]


def test_one_space_is_left_out_and_no_more() -> None:
    assert cut(b"data:test\n\ndata: test\n\n") == [SseEvent(b"test"), SseEvent(b"test")]


# 9.2.5 "Parsing an event stream".
@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_in_three_ways(end: bytes) -> None:
    stream = end.join(
        [b"event: message", b"id: 7", b"data: {}", b"", b"data: x", b"", b""]
    )
    expected = [SseEvent(b"{}", id=b"7"), SseEvent(b"x")]
    assert cut(stream) == expected
    assert cut(*(stream[at : at + 1] for at in range(len(stream)))) == expected


def test_a_mark_at_the_very_beginning_is_left_out_once() -> None:
    assert cut(BOM + b"data: a\n\n") == [SseEvent(b"a")]
    assert cut(BOM[:1], BOM[1:], b"data: a\n\n") == [SseEvent(b"a")]
    assert cut(BOM + BOM + b"data: a\n\n") == [SseEvent(None)]
    assert cut(b"data: a\n\n" + BOM + b"data: b\n\n") == [
        SseEvent(b"a"),
        SseEvent(None),
    ]


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        (b"event: ping\ndata: x\n\n", SseEvent(b"x", type=b"ping")),
        (b"event: ping\nevent:\ndata: x\n\n", SseEvent(b"x")),
        (b"id: a\0b\ndata: x\n\n", SseEvent(b"x")),
        (b"retry: 100\n\n", SseEvent(None)),
        (b"Data: x\n\n", SseEvent(None)),
        (b"data : x\n\n", SseEvent(None)),
        (b" data: x\n\n", SseEvent(None)),
        (b"data: a:b: c\n\n", SseEvent(b"a:b: c")),
        (b"\n", SseEvent(None)),
        # 2025-11-25 basic/transports: an event that only primes a reconnection.
        (b"id: 1\ndata:\n\n", SseEvent(b"", id=b"1")),
    ],
)
def test_fields_are_read_as_the_standard_says(stream: bytes, event: SseEvent) -> None:
    assert cut(stream) == [event]


def slow(stream: bytes) -> list[SseEvent]:
    """The standard again, one character at a time and on the whole stream."""
    text = stream.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found, data, kind, id = [], None, b"", None
    for line in text.split(b"\n")[:-1]:
        if line == b"":
            buffer = None if data is None else data[:-1]
            found.append(SseEvent(buffer, kind or b"message", id))
            data, kind, id = None, b"", None
            continue
        name, colon, value = line.partition(b":")
        value = value[1:] if colon and value[:1] == b" " else value
        if name == b"data":
            data = (data or b"") + value + b"\n"
        elif name == b"event":
            kind = value
        elif name == b"id" and b"\0" not in value:
            id = value
    return found


STREAMS = st.lists(
    st.sampled_from(
        [b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"id", b"event", b"x", b"\0", BOM]
    ),
    max_size=30,
).map(b"".join)


@given(
    st.one_of(STREAMS, st.binary(max_size=60)), st.lists(st.integers(0, 99), max_size=9)
)
@example(b"data:x\r\n\r\ndata:y\r\n\r\n", [7, 8, 9, 10])
@example(b"\r\n", [1])
def test_however_a_stream_is_sliced_the_same_events_come_out(
    stream: bytes, cuts: list[int]
) -> None:
    expected = slow(stream)
    assert cut(stream) == expected
    assert cut(*sliced(stream, cuts)) == expected


def test_an_event_that_is_too_large_ends_the_stream() -> None:
    stream = b"data: a\n\n" + b"data: " + b"x" * 100 + b"\n\ndata: b\n\n"
    for slices in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        events = SseParser(most=50)
        found = [each for data in slices for each in events.feed(data)]
        assert found[0] == SseEvent(b"a")
        assert [type(each) for each in found] == [SseEvent, RequestRefused]
        assert events.closed
        assert isinstance(found[1], RequestRefused)
        assert found[1].why is RefusalReason.EVENT_TOO_LARGE


def test_an_event_shows_no_data_when_it_is_printed() -> None:
    assert "s3cr3t" not in repr(cut(b"data: s3cr3t\n\n"))
