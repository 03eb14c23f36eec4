"""Server-sent events: what a page hears, and when it hears no more."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from answerable.web.http import event_streams as module
from answerable.web.http.event_streams import MAX_PER_SESSION, encode_event
from answerable.web.routing import RouteRequest, StreamEvent, StreamRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission, WebRole
from tests.web.dispatcher_harness import DispatcherHarness


class ScriptedSource:
    """Tells what a test puts in, and says when nobody listens any more."""

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []
        self.heard: list[str] = []
        self.ended = 0
        self.fails = False

    async def tell(
        self, desk: StoreCache, visit: Visitor, asked: RouteRequest
    ) -> AsyncIterator[StreamEvent]:
        self.heard.append(asked.last_event_id)
        try:
            for each in self.events:
                yield each
            if self.fails:
                raise ValueError("canary")
            await asyncio.Event().wait()
        finally:
            self.ended += 1


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource()


@pytest.fixture
def stage(desk: StoreCache, source: ScriptedSource) -> DispatcherHarness:
    stream = StreamRoute(
        "/live", source.tell, frozenset({WebPermission.INVESTIGATE}), ("agent",)
    )
    return DispatcherHarness(desk, (), (stream,))


class StreamListener:
    """A page that listens, for as long as a test lets it."""

    def __init__(self, stage: DispatcherHarness, cookie: str, **fields: str) -> None:
        self.stage, self.scope = stage, stage.scope("GET", "/live", fields, cookie)
        self.heard = bytearray()
        self.status = 0
        self.gone = asyncio.Event()

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.fields = dict(message["headers"])
        self.heard += message.get("body", b"")

    async def listen(self) -> None:
        await self.stage.http_server.app(self.scope, self.receive, self.send)


async def _heard(listener: StreamListener, words: bytes) -> None:
    async with asyncio.timeout(60):
        while words not in listener.heard:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def test_events_come_as_they_happen_and_end_with_the_page(
    stage: DispatcherHarness, source: ScriptedSource
) -> None:
    source.events = [StreamEvent("decision", {"id": "a\nb"}, "7")]

    async def story() -> None:
        listener = StreamListener(
            stage, stage.signed_in(WebRole.ADMIN)[0], **{"last-event-id": "6"}
        )
        task = asyncio.ensure_future(listener.listen())
        await _heard(listener, b'id: 7\nevent: decision\ndata: {"id":"a\\nb"}\n\n')
        assert listener.fields[b"content-type"].startswith(b"text/event-stream")
        assert listener.fields[b"cache-control"] == b"no-store"
        assert b"content-encoding" not in listener.fields
        assert len(stage.http_server.open) == 1
        listener.gone.set()
        await asyncio.wait_for(task, 60)

    asyncio.run(story())
    assert (source.heard, source.ended, len(stage.http_server.open)) == (["6"], 1, 0)


def test_a_stream_ends_with_its_session(
    stage: DispatcherHarness, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_INTERVAL", 0.01)

    async def story() -> None:
        cookie, session = stage.signed_in(WebRole.ADMIN)
        listener = StreamListener(stage, cookie)
        task = asyncio.ensure_future(listener.listen())
        await _heard(listener, b": beat\n\n")
        stage.sessions.end(session)
        await asyncio.wait_for(task, 60)

    asyncio.run(story())
    assert source.ended == 1


def test_a_stream_does_not_keep_a_session_awake(
    stage: DispatcherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_INTERVAL", 0.01)

    async def story() -> None:
        listener = StreamListener(stage, stage.signed_in(WebRole.ADMIN)[0])
        task = asyncio.ensure_future(listener.listen())
        await _heard(listener, b": beat\n\n")
        stage.clock.now += 31 * 60
        await asyncio.wait_for(task, 60)

    asyncio.run(story())


def test_streams_end_with_the_process_and_none_begins(
    stage: DispatcherHarness, source: ScriptedSource
) -> None:
    async def story() -> None:
        cookie, _ = stage.signed_in(WebRole.ADMIN)
        listener = StreamListener(stage, cookie)
        task = asyncio.ensure_future(listener.listen())
        await _heard(listener, b"retry")
        stage.http_server.open.close()
        await asyncio.wait_for(task, 60)
        late = StreamListener(stage, cookie)
        await asyncio.wait_for(late.listen(), 60)
        assert late.status == 503

    asyncio.run(story())
    assert source.ended == 1


def test_a_stream_that_was_opened_just_before_the_end_sends_nothing(
    stage: DispatcherHarness,
) -> None:
    streams = stage.http_server.open

    async def tell() -> AsyncIterator[StreamEvent]:
        await asyncio.Event().wait()
        yield StreamEvent("never", {})

    async def story() -> list[bytes]:
        chunks = streams.stream_events(tell(), b"key", lambda: True)
        streams.close()
        async with asyncio.timeout(60):
            return [each async for each in chunks]

    assert asyncio.run(story()) == []


def test_one_session_listens_a_few_times_at_once(stage: DispatcherHarness) -> None:
    async def story() -> None:
        cookie, _ = stage.signed_in(WebRole.ADMIN)
        others = [StreamListener(stage, cookie) for _ in range(MAX_PER_SESSION)]
        tasks = [asyncio.ensure_future(each.listen()) for each in others]
        for each in others:
            await _heard(each, b"retry")
        more = StreamListener(stage, cookie)
        await asyncio.wait_for(more.listen(), 60)
        assert more.status == 503
        someone = StreamListener(stage, stage.signed_in(WebRole.ADMIN)[0])
        tasks.append(asyncio.ensure_future(someone.listen()))
        await _heard(someone, b"retry")
        stage.http_server.open.close()
        await asyncio.wait_for(asyncio.gather(*tasks), 60)

    asyncio.run(story())


def test_a_fault_ends_a_stream_and_is_logged_without_a_value(
    stage: DispatcherHarness, source: ScriptedSource
) -> None:
    source.fails = True

    async def story() -> None:
        listener = StreamListener(stage, stage.signed_in(WebRole.ADMIN)[0])
        await asyncio.wait_for(listener.listen(), 60)
        assert b"canary" not in listener.heard

    asyncio.run(story())
    assert [type(each) for each in stage.failures] == [ValueError]


def test_whoever_may_not_hears_nothing(
    stage: DispatcherHarness, source: ScriptedSource
) -> None:
    assert stage.get("/live").status == 303
    for role in (WebRole.VIEWER, WebRole.OWNER):
        cookie, _ = stage.signed_in(role)
        assert stage.get("/live", cookie=cookie).status == 404
    cookie, _ = stage.signed_in(WebRole.ADMIN)
    assert stage.get("/live?other=1", cookie=cookie).status == 400
    assert source.heard == []


def test_no_value_can_end_an_event() -> None:
    told = encode_event(StreamEvent("a\nb", {"t": "x\n\nevent: y\r\u2028"}, "1\n2"))
    assert told.count(b"\n\n") == 1
    assert told.endswith(b"\n\n")
    assert b"\r" not in told
