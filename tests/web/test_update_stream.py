"""Open pages are told once that the store has changed, at the cost of one check for all."""

import asyncio
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from answerable.web import update_stream
from answerable.web.routing import RouteRequest, StreamEvent
from answerable.web.store_cache import StoreCache
from answerable.web.update_stream import UpdateStream, stream_updates
from answerable.web.visitor import Visitor, WebRole
from tests.web.dispatcher_harness import DispatcherHarness

SOON = 60.0  # seconds
LOOKING = Visitor(None, frozenset({WebRole.INVESTIGATOR}))
PAGES = (
    *("/", "/findings", "/findings/trend", "/changes", "/agents", "/identities"),
    *("/credentials", "/tools", "/people", "/asks", "/baselines", "/kills", "/cases"),
)


@pytest.fixture
def own(estate: Path, tmp_path: Path) -> Iterator[StoreCache]:
    shutil.copytree(estate / "store", tmp_path / "store")
    made = StoreCache(tmp_path / "store")
    yield made
    made.close()


def record_owner(cache: StoreCache) -> None:
    """Record an owner, as another process does."""
    inventory = cache.current_view().inventory
    agent = next(iter(inventory.agents))
    with EvidenceStore.open(cache.root, now=0, create=False) as store:
        ownership.attest_unsigned(
            store, inventory, agent, "zoe@corp.example", now=time.time_ns()
        )


def listen(cache: StoreCache, since: str) -> list[StreamEvent]:
    """Return what a page is told; none within a second counts as nothing."""

    async def hear() -> list[StreamEvent]:
        source = UpdateStream(cache).listen(since)
        try:
            return [await asyncio.wait_for(anext(source), 1.0)]  # type: ignore[arg-type]
        except TimeoutError:
            return []

    return asyncio.run(hear())


def test_lists_findings_and_the_overview_listen_for_a_change_of_their_data(
    own: StoreCache,
) -> None:
    harness = DispatcherHarness(own)
    cookie, _ = harness.signed_in(WebRole.ADMIN)
    for path in PAGES:
        page = harness.get(path, cookie=cookie).text
        found = re.findall(r'data-updates="/updates\?since=([0-9a-f]{16})"', page)
        assert found == [own.get_shown_stamp()], path
    part = harness.get("/agents", headers={"hx-request": "true"}, cookie=cookie)
    assert "data-updates" not in part.text  # the page around it listens


def test_a_page_is_told_when_the_store_has_changed(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_stream, "POLL_INTERVAL", 0.01)
    shown = own.get_shown_stamp()
    assert listen(own, shown) == []
    record_owner(own)
    assert own.get_shown_stamp() != shown
    assert [each.event for each in listen(own, shown)] == ["update"]
    assert listen(own, own.get_shown_stamp()) == []


def test_the_same_data_evaluated_again_is_no_change(own: StoreCache) -> None:
    shown, version = own.get_shown_stamp(), own.version()
    own._view = None
    assert own.get_shown_stamp() == shown
    assert own.version() != version


def test_one_check_serves_all_pages_and_none_is_made_without_a_page(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_stream, "POLL_INTERVAL", 0.05)
    checks: list[int] = []
    stamp = own.get_shown_stamp()

    def count(_: StoreCache) -> str:
        checks.append(len(checks))
        return stamp if len(checks) < 4 else "other"

    monkeypatch.setattr(StoreCache, "get_shown_stamp", count)

    async def hear() -> None:
        request = RouteRequest({"since": stamp})
        pages = [stream_updates(own, LOOKING, request) for _ in range(20)]
        async with asyncio.timeout(SOON):
            told = await asyncio.gather(*(anext(each) for each in pages))
        assert [each.event for each in told] == ["update"] * 20
        for each in pages:
            await each.aclose()  # type: ignore[attr-defined]
        before = len(checks)
        await asyncio.sleep(0.3)
        assert len(checks) <= before + 1

    asyncio.run(hear())
    assert len(checks) <= 5


def test_an_open_page_does_not_hold_a_server_that_ends_while_it_loads(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_of_load, reads = threading.Event(), []

    def load(_: StoreCache) -> str:
        reads.append(1)
        end_of_load.wait(SOON)
        return "loaded"

    monkeypatch.setattr(StoreCache, "get_shown_stamp", load)

    async def hear() -> None:
        page = UpdateStream(own).listen("before")
        told = asyncio.ensure_future(anext(page))  # type: ignore[arg-type]
        await asyncio.sleep(0.1)
        told.cancel()
        await asyncio.wait({told})

    began = time.monotonic()
    asyncio.run(hear())  # as a server does, it waits for its threads
    assert time.monotonic() - began < SOON / 2
    assert reads == []
    end_of_load.set()
