"""No link of a page is dead: in the sample, on every platform, and with signatures.

`python -m tests.web.link_crawl STORE` follows all of them; here, some of each shape.
"""

from pathlib import Path

import pytest

from answerable.store.store import EvidenceStore
from tests.estate.sample_stores import SOURCES, Stores
from tests.usecases.owned_store import create_owned_store
from tests.web.link_crawl import count_terms, crawl, list_links

MOST = 6  # of a shape
PAGE_LIMIT = 200 * 1024


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a database, a cluster, repositories and a Google project."""
    made = Stores.with_database(tmp_path_factory.mktemp("crawl"))
    return made.of(*SOURCES[:-1], "gcp", SOURCES[-1])


def test_no_link_of_the_sample_is_dead(estate: Path) -> None:
    found = crawl(estate / "store", MOST)
    assert found.dead == []
    assert found.asked.total() > 150
    assert {p: n for p, n in found.largest.items() if n > PAGE_LIMIT} == {}


def test_no_link_of_an_estate_on_every_platform_is_dead(platforms: Path) -> None:
    found = crawl(platforms, MOST)
    assert found.dead == []
    assert found.asked.total() > 200
    assert {p: n for p, n in found.largest.items() if n > PAGE_LIMIT} == {}


def test_no_link_of_a_store_with_signatures_is_dead(tmp_path: Path) -> None:
    found = crawl(create_owned_store(tmp_path / "store"), MOST)
    assert found.dead == []
    assert found.asked.total() > 30
    assert {p: n for p, n in found.largest.items() if n > PAGE_LIMIT} == {}


def test_no_link_of_an_empty_store_is_dead(tmp_path: Path) -> None:
    EvidenceStore.open(tmp_path / "store", now=1).close()
    found = crawl(tmp_path / "store")
    assert found.dead == []  # the page of the visitor among them
    assert found.asked.total() > 100


def test_a_form_that_changes_something_is_no_link() -> None:
    page = '<a href="/a?x=1&amp;y=2#z">a</a><form action="/kill" method="post"></form>'
    assert list_links(page) == ["/a?x=1&y=2"]


def test_a_link_has_the_terms_of_its_query_and_its_other_filters() -> None:
    assert count_terms("/can?subject=a&action=b&resource=c") == 0
    assert count_terms("/trace?q=agent%3Aa+%22two+words%22&after=x") == 2
    assert count_terms("/trace?q=since%3A2026-11-02+until%3A2026-11-03+agent%3Aa") == 2
    assert count_terms("/agents?q=a&owner-state=none&sort=name") == 3
