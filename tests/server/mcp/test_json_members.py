"""Members are found as a slow reader finds them, and no key is ever two."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings

from answerable.server.mcp import json_members as fast
from answerable.server.mcp.json_members import (
    MAX_DEPTH,
    MAX_MEMBERS,
    check_encoding_and_depth,
    find_object_members,
    read_string,
)
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from tests.gateway import reference_parser
from tests.gateway.request_builders import steps

NOWHERE = slice(0, 0)


def found(data: bytes) -> dict[str, object] | str:
    try:
        check_encoding_and_depth(data)
        spans = find_object_members(data)
    except RequestRefused as refused:
        return (
            reference_parser.REPEATED
            if refused.why is RefusalReason.REPEATED_KEY
            else reference_parser.NOT_JSON
        )
    return reference_parser.values(data, spans)


@given(reference_parser.TEXTS)
@settings(max_examples=100)
@example(b'{"a":1,"a":22}')
@example(b'{"a":1,"\\u0061":1}')
@example(b'{"a":1,"b":2,"a":1}')
@example(b'{"a":12,"a":1}')
@example(b'{"a":1,"a":12}')
@example(b'{"a":1,"b":" ,\\"b\\":3}","a":123}')
@example(b'{"a":{"b":1,"b":2}}')
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":NaN}')
@example(b'{"a":"\\ud800"}')
@example(b'{"a":"\xed\xa0\x80"}')
@example(b'{"a":1}{}')
@example(b'{"a\\":1,\\"b":1}')
@example(b"{}")
@example(b"")
def test_members_are_those_of_the_slow_reader(data: bytes) -> None:
    assert found(data) == reference_parser.members(data)


@given(reference_parser.OBJECTS)
def test_members_without_white_space_are_those_of_the_slow_reader(data: bytes) -> None:
    # No text of these objects holds white space, so that all of it can go.
    compact = data.translate(None, b" \t\n\r")
    assert found(compact) == reference_parser.members(compact)


@given(reference_parser.OBJECTS, reference_parser.OBJECTS)
def test_an_object_within_is_read_in_its_place(outer: bytes, inner: bytes) -> None:
    # Spans of an inner object count from the beginning of the whole body.
    data = b'{"x":' + outer + b',"params": ' + inner.strip() + b"}"
    span = find_object_members(data)["params"]
    assert data[span] == inner.strip()
    expected = reference_parser.members(inner)
    if isinstance(expected, str):
        with pytest.raises(RequestRefused, match="repeated-key"):
            find_object_members(data, span)
    else:
        assert (
            reference_parser.values(data, find_object_members(data, span)) == expected
        )


@given(reference_parser.OBJECTS)
def test_depth_is_counted_as_the_slow_reader_counts_it(data: bytes) -> None:
    deep = reference_parser.depth(reference_parser.read(data))
    for cap in range(5):
        if deep > cap:
            with pytest.raises(RequestRefused) as caught:
                check_encoding_and_depth(data, cap)
            assert caught.value.why is RefusalReason.TOO_DEEP
        else:
            check_encoding_and_depth(data, cap)


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_the_cap_on_depth_is_exact_and_brackets_in_strings_are_none() -> None:
    check_encoding_and_depth(nested(MAX_DEPTH))
    with pytest.raises(RequestRefused) as caught:
        check_encoding_and_depth(nested(MAX_DEPTH + 1))
    assert caught.value.why is RefusalReason.TOO_DEEP
    check_encoding_and_depth(b'{"a":"' + b"[" * 1000 + b'\\"[{"}')


@pytest.mark.parametrize(
    "bomb", [b"[" * 4_000_000, b'{"a":' * 800_000, nested(100_000)]
)
def test_a_body_of_brackets_is_refused(bomb: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        check_encoding_and_depth(bomb)
    assert caught.value.why is RefusalReason.TOO_DEEP


def test_members_are_counted() -> None:
    many = b"{" + b",".join(b'"%d":1' % n for n in range(MAX_MEMBERS)) + b"}"
    assert len(find_object_members(many)) == MAX_MEMBERS
    with pytest.raises(RequestRefused) as caught:
        find_object_members(many[:-1] + b',"x":1}')
    assert caught.value.why is RefusalReason.NOT_A_MESSAGE


def test_text_is_the_text_of_a_string_alone() -> None:
    data = b'["a\\u00e9\\"",1,null,{}]'
    assert read_string(data, slice(1, 12)) == 'aé"'
    assert [read_string(data, slice(at, at + 1)) for at in (13, 15, 20)] == [
        None,
        None,
        None,
    ]
    assert read_string(data, None) is None


BODIES: dict[str, Callable[[int], bytes]] = {
    "a long text": lambda n: b'{"a":"' + b"x" * n + b'"}',
    "escapes": lambda n: b'{"a":"' + b'\\"' * n + b'"}',
    "brackets": lambda n: b'{"a":[' + b"[]," * n + b"1]}",
    "numbers": lambda n: b'{"a":[' + b"1," * n + b"1]}",
    "white space": lambda n: b"{" + b" " * n + b'"a":1}',
    "members within": lambda n: (
        b'{"a":{' + b",".join(b'"%d":1' % k for k in range(n)) + b"}}"
    ),
    "depth": lambda n: b'{"a":' * n + b"1" + b"}" * n,
    "an endless key": lambda n: b'{"' + b"\\\\" * n + b'":1}',
    "never closed": lambda n: b'{"a":1,' * n,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_no_step_is_taken_for_what_is_not_read(body: Callable[[int], bytes]) -> None:
    def read(size: int) -> Callable[[], object]:
        return lambda: found(body(size))

    assert steps(read(40_000)) <= steps(read(20_000)) + 10


def test_steps_grow_with_members_and_no_faster() -> None:
    def read(size: int) -> Callable[[], object]:
        data = b"{" + b",".join(b'"%d" : 1' % k for k in range(size)) + b"}"
        return lambda: find_object_members(data)

    assert steps(read(1000)) <= 2 * steps(read(500)) + 10


def test_a_walk_that_did_not_compare_values_could_be_led_astray() -> None:
    # The last `a` is as long as what leads from the first one to the inner `z`, and the
    # outer `z` as what leads from there to the last brace: counted by lengths, two
    # members stand here. Only their bytes tell that they are three.
    data = b'{"a":1,"z":{"q":1,      "z":0},"a":' + b"9" * 12 + b"}"
    assert found(data) == reference_parser.REPEATED == reference_parser.members(data)


def test_a_walk_that_lost_its_place_in_a_number_is_noticed() -> None:
    # The kept 1 begins as the first value does; from the 2 on, a walk that did not look
    # would take a letter for a colon, and the brace in the key for the last one.
    data = b'{"a":12 ,"K7}":7,"a":1}'
    assert found(data) == reference_parser.REPEATED == reference_parser.members(data)


def test_the_known_names_are_folded() -> None:
    known = fast.build_known_keys("taskId", "params")
    fast.refuse_lookalike_keys(
        dict.fromkeys(["taskId", "params", "other"], NOWHERE), known
    )
    for key in (
        *("taskid", "TASKID", "ta\u017fkId", "tas\u212aId", "Params"),
        *("task\0Id", "task\u200bId", "\uff50arams", "params\u2060"),
    ):
        with pytest.raises(RequestRefused) as caught:
            fast.refuse_lookalike_keys({key: NOWHERE}, known)
        assert caught.value.why is RefusalReason.KEY_LOOKALIKE
