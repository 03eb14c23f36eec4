"""Parser laws: invariants for every byte sequence that the gateway reads.

Each law takes bytes and asserts. What it feeds may be refused (`RequestRefused`), and nothing
else may come of it: no other exception, no two readings of one text, and nothing on its
way out that we would not take in.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from answerable.connectors.config.parse.config_file import parse_config
from answerable.gateway.wire.event_stream import SseEvent, SseParser
from answerable.gateway.wire.fast_message_parser import (
    ExpectedCall,
    parse_plain_tool_call,
    parse_plain_tool_result,
)
from answerable.gateway.wire.http_heads import (
    encode_forwarded_fields,
    write_reply_head,
    write_request_head,
)
from answerable.gateway.wire.list_filter import LISTS, ListKind, filter_list_for_caller
from answerable.gateway.wire.server_messages import ServerMessage, parse_server_message
from answerable.gateway.wire.streaming_summary import StreamingSummary
from answerable.gateway.wire.upstream_replies import (
    ReplyParser,
    UpstreamReply,
    parse_reply_head,
)
from answerable.server.mcp.call import McpCall, parse_http_call, parse_stdio_call
from answerable.server.mcp.json_members import (
    MAX_DEPTH,
    check_encoding_and_depth,
    find_object_members,
)
from answerable.server.mcp.methods import McpRevision
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import HttpRequestHead, parse_head
from answerable.server.wire.request_parser import RequestBody
from tests.gateway import reference_parser
from tests.gateway.request_builders import taken

T = TypeVar("T")
Law = Callable[[bytes], None]
ALLOWED = "a"  # what a caller of the law of lists may use begins with this


def check_request_slicing(data: bytes) -> None:
    """Slicing of a connection does not change the requests."""
    cut, data = _split_data(data)
    whole = taken([data])
    assert taken([data[:cut], data[cut:]]) == whole
    for head, body in pairwise(whole):
        if isinstance(head, HttpRequestHead) and isinstance(body, RequestBody):
            _parse_request(head, body.data)


def _parse_request(head: HttpRequestHead, body: bytes) -> None:
    call = _run_or_refused(lambda: parse_http_call(head, body))
    if not isinstance(call, McpCall):
        return
    written = write_request_head(
        "POST", "/mcp", "a.example", encode_forwarded_fields(head.fields), "", len(body)
    )
    again = parse_head(written)
    for name, value in head.fields.items():
        if name.startswith("mcp-") and name != "mcp-session-id":
            assert again.fields[name] == value
    assert not {"authorization", "cookie", "dpop", "forwarded"} & again.fields.keys()
    assert again.length == len(body)


def check_body_parsing(data: bytes) -> None:
    """The fast reader of an object agrees with the slow one."""
    try:
        check_encoding_and_depth(data)
        spans = find_object_members(data)
    except RequestRefused:
        found = reference_parser.members(data)
        assert (
            isinstance(found, str)
            or reference_parser.depth(reference_parser.read(data)) > MAX_DEPTH
        )
    else:
        assert reference_parser.values(data, spans) == reference_parser.members(data)
    for era in (McpRevision.V2026_07_28, McpRevision.V2025_11_25):
        full = _run_or_refused(lambda era=era: parse_stdio_call(data, era, "files"))
        plain = ExpectedCall(era, "files")
        short = _run_or_refused(lambda plain=plain: parse_plain_tool_call(data, plain))
        assert short in (None, full)


def check_reply_slicing(data: bytes) -> None:
    """Slicing of a reply does not change it."""
    cut, data = _split_data(data)
    whole = _parse_replies([data])
    assert _parse_replies([data[:cut], data[cut:]]) == whole
    if whole and isinstance(whole[0], UpstreamReply):
        written = write_reply_head(whole[0].returned.heading, length=1, closes=False)
        assert parse_reply_head(written) is not None


def _parse_replies(slices: Sequence[bytes]) -> list[object]:
    intake = ReplyParser()
    found: list[object] = []
    try:
        for each in slices:
            found += intake.feed(each)
        found += intake.on_close()
    except RequestRefused as refused:
        return [refused.why]  # what its slice brought beside it was not passed on
    return _join_pieces(found)


def _join_pieces(found: Sequence[object]) -> list[object]:
    """Join the pieces of a body that slicing separated."""
    joined: list[object] = []
    for each in found:
        if isinstance(each, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += each
        else:
            joined.append(each)
    return joined


def check_answer_slicing(data: bytes) -> None:
    """A streamed answer equals the buffered one."""
    cut, data = _split_data(data)
    held = _run_or_refused(lambda: parse_server_message(data))
    assert _run_or_refused(lambda: parse_plain_tool_result(data)) in (None, held)
    skimmed = _run_or_refused(lambda: _skim_slices([data[:cut], data[cut:]]))
    if isinstance(held, ServerMessage) and isinstance(skimmed, ServerMessage):
        assert held == skimmed


def _skim_slices(slices: Sequence[bytes]) -> ServerMessage | None:
    skim = StreamingSummary()
    for each in slices:
        if not skim.is_complete:
            skim.feed(each)
    return skim.parse_summary() if skim.is_complete and not skim.asks else None


def check_list_filter(data: bytes) -> None:
    """A filtered list is valid JSON, and holds only permitted items."""
    shown: list[str] = []

    def may(_: ListKind, name: str) -> bool:
        return name.startswith(ALLOWED)

    def note(_: ListKind, name: str) -> bool:
        shown.append(name)
        return True

    for method in (*LISTS, ""):
        if not isinstance(
            _run_or_refused(lambda: parse_server_message(data)), ServerMessage
        ):
            return
        seen = _run_or_refused(
            lambda method=method: filter_list_for_caller(
                data, method, may, is_modern=True
            )
        )
        if isinstance(seen, bytes):
            parse_server_message(seen)
            assert filter_list_for_caller(seen, method, note, is_modern=True) == seen
    assert all(name.startswith(ALLOWED) for name in shown)


def check_event_slicing(data: bytes) -> None:
    """Slicing of a stream changes no event and loses no byte."""
    cut, data = _split_data(data)
    whole, parts = SseParser(), SseParser()
    found = whole.feed(data)
    assert parts.feed(data[:cut]) + parts.feed(data[cut:]) == found
    raw = [each.raw for each in found if isinstance(each, SseEvent)]
    assert b"".join(raw) + whole.unfinished_bytes() == data


def check_configuration(data: bytes) -> None:
    """A configuration is parsed, or its faults are reported."""
    reading = parse_config(data, "answerable.yaml", "/etc/answerable")
    assert reading.config is not None or reading.faults


LAWS: Mapping[str, Law] = {
    "requests": check_request_slicing,
    "bodies": check_body_parsing,
    "replies": check_reply_slicing,
    "answers": check_answer_slicing,
    "lists": check_list_filter,
    "events": check_event_slicing,
    "configurations": check_configuration,
}


def _split_data(data: bytes) -> tuple[int, bytes]:
    """Take the first two bytes as the cut position in the others."""
    rest = data[2:]
    return int.from_bytes(data[:2]) % (len(rest) + 1), rest


def _run_or_refused(work: Callable[[], T]) -> T | None:
    try:
        return work()
    except RequestRefused:
        return None
