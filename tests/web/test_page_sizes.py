"""Pages of 2,000 identities and 4,000 agents stay below 200 KiB, and list all in parts."""

import html
import re
import time
from collections.abc import Iterator

import pytest

from answerable.store.store import EvidenceStore
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from bench.web import figures, large_store
from tests.web.conftest import shown
from tests.web.test_link_crawl import PAGE_LIMIT


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCache]:
    store = tmp_path_factory.mktemp("large") / "store"
    EvidenceStore.open(store, now=time.time_ns()).close()
    large_store.write_snapshot(store, figures.QUICK_IDENTITIES, figures.SEED)
    made = StoreCache(store)
    yield made
    made.close()


def test_the_callers_of_a_call_that_many_can_make(
    large: StoreCache, admin: Visitor
) -> None:
    page = shown(large, admin, "/who-can", action="iam:CreateUser", resource="*")
    assert len(page.encode()) < PAGE_LIMIT
    assert page.count(">why</a>") == 25
    assert 'rel="next"' in page
    assert re.findall(r"and \d+ more</a>", page)  # parts of a pattern, in the proof


def test_every_risky_identity_is_on_one_of_the_pages(
    large: StoreCache, admin: Visitor
) -> None:
    page = shown(large, admin, "/reach/all")
    total = int(re.findall(r"50 of (?:at least )?([\d,]+) ", page)[0].replace(",", ""))
    assert total > 100
    found, start = [], 0
    while True:
        assert len(page.encode()) < PAGE_LIMIT
        rows = re.findall(r"<tr data-row>.*?</tr>", page, re.DOTALL)
        found += [re.findall(r'<th[^>]*>.*?title="([^"]+)"', row)[0] for row in rows]
        following = re.findall(r'rel="next" href="([^"]+)"', page)
        if not following:
            break
        start += 50
        assert html.unescape(following[0]) == f"/reach/all?from={start}"
        page = shown(large, admin, "/reach/all", **{"from": str(start)})
    assert len(found) == len(set(found)) == total


def test_the_relations_of_a_tool_come_in_pages(
    large: StoreCache, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, start, rows = "tool:mcp/server-7/*", 0, 0
    whole = shown(large, admin, "/show", id=key).count('<th scope="row"')
    monkeypatch.setattr("answerable.web.pages.show._MAX_ROWS", 30)
    while True:
        page = shown(large, admin, "/show", id=key, **{"from": str(start)})
        rows += page.count('<th scope="row"')
        assert f" of {whole} rows" in page
        if 'rel="next"' not in page:
            break
        start += 30
    assert rows == whole > 60


@pytest.mark.parametrize("text", ["-1", "x", "1" * 10])
def test_an_invalid_position_is_refused(
    large: StoreCache, admin: Visitor, text: str
) -> None:
    for path, more in (("/reach/all", {}), ("/show", {"id": "tool:mcp/server-7/*"})):
        page = shown(large, admin, path, **more, **{"from": text})
        assert "invalid page cursor" in page
