"""Parser laws: invariants for every byte sequence that the gateway reads.

Each law takes bytes and asserts. What it feeds may be refused (`Refused`), and nothing
else may come of it: no other exception, no two readings of one text, and nothing on its
way out that we would not take in.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from answerable.connectors.config.parse.config_file import read_config
from answerable.gateway.wire.event_stream import Event, Events
from answerable.gateway.wire.fast_path import Plain, plain_answer, plain_call
from answerable.gateway.wire.http_heads import onward, reply_head, request_head
from answerable.gateway.wire.list_filter import LISTS, Listing, for_caller
from answerable.gateway.wire.server_messages import Answer, read_answer
from answerable.gateway.wire.streaming_summary import Skim
from answerable.gateway.wire.upstream_replies import Reply, ReplyIntake, read_reply
from answerable.server.mcp.call import Call, read_call, read_line
from answerable.server.mcp.json_members import MAX_DEPTH, check_text, members
from answerable.server.mcp.methods import Era
from answerable.server.wire.refusals import Refused
from answerable.server.wire.request_head import Head, read_head
from answerable.server.wire.request_parser import Body
from tests.gateway import reference_parser
from tests.gateway.request_builders import taken

T = TypeVar("T")
Law = Callable[[bytes], None]
ALLOWED = "a"  # what a caller of the law of lists may use begins with this


def requests(data: bytes) -> None:
    """Slicing of a connection does not change the requests."""
    cut, data = _cut(data)
    whole = taken([data])
    assert taken([data[:cut], data[cut:]]) == whole
    for head, body in pairwise(whole):
        if isinstance(head, Head) and isinstance(body, Body):
            _request(head, body.data)


def _request(head: Head, body: bytes) -> None:
    call = _or_refused(lambda: read_call(head, body))
    if not isinstance(call, Call):
        return
    written = request_head(
        "POST", "/mcp", "a.example", onward(head.fields), "", len(body)
    )
    again = read_head(written)
    for name, value in head.fields.items():
        if name.startswith("mcp-") and name != "mcp-session-id":
            assert again.fields[name] == value
    assert not {"authorization", "cookie", "dpop", "forwarded"} & again.fields.keys()
    assert again.length == len(body)


def bodies(data: bytes) -> None:
    """The fast reader of an object agrees with the slow one."""
    try:
        check_text(data)
        spans = members(data)
    except Refused:
        found = reference_parser.members(data)
        assert (
            isinstance(found, str)
            or reference_parser.depth(reference_parser.read(data)) > MAX_DEPTH
        )
    else:
        assert reference_parser.values(data, spans) == reference_parser.members(data)
    for era in (Era.V2026_07_28, Era.V2025_11_25):
        full = _or_refused(lambda era=era: read_line(data, era, "files"))
        plain = Plain(era, "files")
        short = _or_refused(lambda plain=plain: plain_call(data, plain))
        assert short in (None, full)


def replies(data: bytes) -> None:
    """Slicing of a reply does not change it."""
    cut, data = _cut(data)
    whole = _replied([data])
    assert _replied([data[:cut], data[cut:]]) == whole
    if whole and isinstance(whole[0], Reply):
        written = reply_head(whole[0].returned.heading, length=1, closes=False)
        assert read_reply(written) is not None


def _replied(slices: Sequence[bytes]) -> list[object]:
    intake = ReplyIntake()
    found: list[object] = []
    try:
        for each in slices:
            found += intake.feed(each)
        found += intake.close()
    except Refused as refused:
        return [refused.why]  # what its slice brought beside it was not passed on
    return _joined(found)


def _joined(found: Sequence[object]) -> list[object]:
    """Join the pieces of a body that slicing separated."""
    joined: list[object] = []
    for each in found:
        if isinstance(each, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += each
        else:
            joined.append(each)
    return joined


def answers(data: bytes) -> None:
    """A streamed answer equals the buffered one."""
    cut, data = _cut(data)
    held = _or_refused(lambda: read_answer(data))
    assert _or_refused(lambda: plain_answer(data)) in (None, held)
    skimmed = _or_refused(lambda: _skimmed([data[:cut], data[cut:]]))
    if isinstance(held, Answer) and isinstance(skimmed, Answer):
        assert held == skimmed


def _skimmed(slices: Sequence[bytes]) -> Answer | None:
    skim = Skim()
    for each in slices:
        if not skim.is_whole:
            skim.feed(each)
    return skim.answer() if skim.is_whole and not skim.asks else None


def lists(data: bytes) -> None:
    """A filtered list is valid JSON, and holds only permitted items."""
    shown: list[str] = []

    def may(_: Listing, name: str) -> bool:
        return name.startswith(ALLOWED)

    def note(_: Listing, name: str) -> bool:
        shown.append(name)
        return True

    for method in (*LISTS, ""):
        if not isinstance(_or_refused(lambda: read_answer(data)), Answer):
            return
        seen = _or_refused(
            lambda method=method: for_caller(data, method, may, is_modern=True)
        )
        if isinstance(seen, bytes):
            read_answer(seen)
            assert for_caller(seen, method, note, is_modern=True) == seen
    assert all(name.startswith(ALLOWED) for name in shown)


def events(data: bytes) -> None:
    """Slicing of a stream changes no event and loses no byte."""
    cut, data = _cut(data)
    whole, parts = Events(), Events()
    found = whole.feed(data)
    assert parts.feed(data[:cut]) + parts.feed(data[cut:]) == found
    raw = [each.raw for each in found if isinstance(each, Event)]
    assert b"".join(raw) + whole.rest() == data


def configurations(data: bytes) -> None:
    """A configuration is parsed, or its faults are reported."""
    reading = read_config(data, "answerable.yaml", "/etc/answerable")
    assert reading.config is not None or reading.faults


LAWS: Mapping[str, Law] = {
    law.__name__: law
    for law in (requests, bodies, replies, answers, lists, events, configurations)
}


def _cut(data: bytes) -> tuple[int, bytes]:
    """Take the first two bytes as the cut position in the others."""
    rest = data[2:]
    return int.from_bytes(data[:2]) % (len(rest) + 1), rest


def _or_refused(work: Callable[[], T]) -> T | None:
    try:
        return work()
    except Refused:
        return None
