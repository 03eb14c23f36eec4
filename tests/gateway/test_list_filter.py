"""A list holds what its caller may act on; every other byte of it stays."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.gateway.wire.list_filter import (
    LISTS,
    UNKNOWN,
    ListKind,
    filter_list_for_caller,
)
from answerable.server.wire.refusals import RefusalReason, RequestRefused

NAMES = st.sampled_from(["a", "b", 'q"', "é", "\\", ""])
OTHERS = st.one_of(st.none(), st.integers(), st.just({"name": "a"}), st.just([1]))


def result(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": members}).encode()


def names(*taken: str):
    return lambda listing, name: name in taken


@given(
    st.sampled_from(sorted(LISTS)),
    st.lists(st.tuples(NAMES, OTHERS), max_size=5),
    st.sets(NAMES),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_what_is_left_is_what_a_reader_of_json_would_have_left(
    method: str,
    items: list[tuple[str, object]],
    taken: set[str],
    is_modern: bool,
    indent: int | None,
) -> None:
    listing = LISTS[method]
    listed = [{listing.name: name, "other": other} for name, other in items]
    said = {"x": 1, listing.key: listed, "nextCursor": "c"}
    data = json.dumps({"jsonrpc": "2.0", "id": 1, "result": said}, indent=indent)
    found = filter_list_for_caller(
        data.encode(), method, names(*taken), is_modern=is_modern
    )
    expected = said | {listing.key: [i for i in listed if i[listing.name] in taken]}
    if is_modern:
        expected["cacheScope"] = "private"
    assert json.loads(found)["result"] == expected


@pytest.mark.parametrize("method", sorted(LISTS))
def test_a_list_that_stays_whole_is_the_same_bytes(method: str) -> None:
    listing = LISTS[method]
    data = result(**{listing.key: [{listing.name: "a"}]})
    assert filter_list_for_caller(data, method, names("a"), is_modern=False) is data


def test_items_that_cannot_be_read_in_one_way_are_left_out() -> None:
    items = b'[{"name":"a","name":"b"},{"Name":"a"},{"name":1},"a",null,{"name":"a"}]'
    data = b'{"jsonrpc":"2.0","id":1,"result":{"tools":%b}}' % items
    found = filter_list_for_caller(data, "tools/list", names("a", "b"), is_modern=False)
    assert json.loads(found)["result"]["tools"] == [{"name": "a"}]


@pytest.mark.parametrize("scope", ['"public"', '"Private"', "null", "[]"])
def test_an_answer_for_one_caller_is_marked_so(scope: str) -> None:
    data = b'{"jsonrpc":"2.0","id":1,"result":{"cacheScope": %b}}' % scope.encode()
    found = filter_list_for_caller(data, "server/discover", names(), is_modern=True)
    assert found == data.replace(scope.encode(), b'"private"')
    assert (
        filter_list_for_caller(found, "server/discover", names(), is_modern=True)
        is found
    )


def test_a_scope_is_added_to_an_empty_result_too() -> None:
    data = b'{"jsonrpc":"2.0","id":1,"result":{}}'
    found = filter_list_for_caller(data, "tools/list", names(), is_modern=True)
    assert json.loads(found)["result"] == {"cacheScope": "private"}


def test_an_answer_to_nobody_knows_what_is_taken_for_every_list() -> None:
    data = result(tools=[{"name": "a"}, {"name": "b"}], prompts=[{"name": "b"}])

    def may(listing: ListKind, name: str) -> bool:
        return (listing.key, name) == ("tools", "a")

    found = json.loads(filter_list_for_caller(data, UNKNOWN, may, is_modern=False))[
        "result"
    ]
    assert found == {"tools": [{"name": "a"}], "prompts": []}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"tools":1}', RefusalReason.EVENT_TYPE),
        (b'{"tools":{"a":[]}}', RefusalReason.EVENT_TYPE),
        (b'{"Tools":[],"tools":[]}', RefusalReason.KEY_LOOKALIKE),
        (b'{"tools":[],"tools":[]}', RefusalReason.REPEATED_KEY),
        (b'{"cachescope":"public"}', RefusalReason.KEY_LOOKALIKE),
    ],
)
def test_a_list_that_reads_in_two_ways_is_refused(
    data: bytes, why: RefusalReason
) -> None:
    message = b'{"jsonrpc":"2.0","id":1,"result":%b}' % data
    with pytest.raises(RequestRefused) as caught:
        filter_list_for_caller(message, "tools/list", names("a"), is_modern=True)
    assert caught.value.why is why


def test_an_error_in_place_of_a_list_stays_as_it_is() -> None:
    data = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"x"}}'
    assert filter_list_for_caller(data, "tools/list", names(), is_modern=True) is data
