"""Pages of a snapshot with too many identities to follow every path."""

import html
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.model.ids import IdentityId
from answerable.store.store import EvidenceStore
from answerable.web import background_answers
from answerable.web.pages.reach import what_if
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.usecases import owned_store
from tests.web.conftest import ANA, answer, shown

USER = "arn:aws:iam::111122223333:user/report-bot"
OBJECTS = "s3://example-reports/*"


@pytest.fixture
def many(estate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreCache]:
    follow_few_identities(monkeypatch)
    made = StoreCache(estate / "store")
    yield made
    made.close()


def follow_few_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow every path of at most three identities."""
    for name in ("query_context.MOST_FOLLOWED", "query_context.MOST_AT_COMMAND"):
        monkeypatch.setattr(f"answerable.reach.aws.{name}", 3)


def test_what_ends_an_access_is_linked_where_paths_are_followed(
    desk: StoreCache, admin: Visitor
) -> None:
    page = shown(desk, admin, "/reach", subject=USER, resource=OBJECTS)
    assert "/what-if/cuts?" in page


def test_what_ends_an_access_is_not_linked_where_it_cannot_be_answered(
    many: StoreCache, admin: Visitor
) -> None:
    said = {"subject": USER, "resource": OBJECTS}
    page = shown(many, admin, "/reach", **said)
    assert "Direct permissions only" in page
    assert "verdict" in page
    assert "/what-if/cuts?" not in page
    refused = answer(many, admin, "/what-if/cuts", **said)
    assert isinstance(refused, PageAnswer)
    assert refused.status == 400
    page = shown(many, admin, "/what-if/cuts", **said)
    assert "To see what one subject loses without a statement" in page


def test_every_statement_to_tick_is_compared_for_its_subject(
    many: StoreCache, admin: Visitor
) -> None:
    page = shown(many, admin, "/reach", subject=USER)
    ticks = re.findall(r'name="(without\d+)" value="([^"]+)"', page)
    assert ticks
    for name, value in ticks:
        said = {"subject": USER, name: html.unescape(value)}
        asked = answer(many, admin, "/what-if", **said)
        assert isinstance(asked, PageAnswer)
        assert asked.status == 200
        changes = shown(many, admin, "/what-if", **said)
        assert "Only what the subject may do itself is compared" in changes
        assert "for every identity" not in changes
    assert "falls away" in changes or "is removed" in changes


def test_a_statement_is_compared_after_an_owner_is_recorded(
    estate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, admin: Visitor
) -> None:
    follow_few_identities(monkeypatch)
    store = tmp_path / "store"
    shutil.copytree(estate / "store", store)
    cache = StoreCache(store)
    page = shown(cache, admin, "/reach", subject=USER)
    ticks = re.findall(r'name="(without\d+)" value="([^"]+)"', page)
    now, key = time.time_ns(), owned_store.signer("a")
    with EvidenceStore.open(store, now=now, create=False) as opened:
        owned_store.enroll(opened, key, ANA, at=now)
        owned_store.attest(opened, key, ANA, IdentityId(USER), at=now)
    before = cache.current_view().generation
    for name, value in ticks:
        said = {"subject": USER, name: html.unescape(value)}
        changes = shown(cache, admin, "/what-if", **said)
        assert "Only what the subject may do itself is compared" in changes
    assert ticks
    assert cache.current_view().generation == before
    cache.close()


def test_a_slow_comparison_is_shown_when_it_is_computed(
    desk: StoreCache, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = f"{USER}#inline/inline#3"
    said = {"subject": USER, "without0": statement}
    expected = shown(desk, admin, "/what-if", **said)
    assert "a simulation, no policy is changed" in expected
    monkeypatch.setattr(background_answers, "INLINE_EVENTS", 0)
    monkeypatch.setattr(what_if, "_PATIENCE", 0.0)
    first = shown(desk, admin, "/what-if", **said)
    assert "The permissions are being compared." in first
    assert "Nothing changes" not in first
    found, until = first, time.monotonic() + 60
    while "being compared" in found and time.monotonic() < until:
        found = shown(desk, admin, "/what-if", **said)
    changes = re.compile(r'<table class="rows changes">.*?</table>', re.DOTALL)
    assert changes.findall(found) == changes.findall(expected)
    monkeypatch.setattr(what_if, "_PATIENCE", 60.0)
    said["without0"] = f"{statement}-unknown"
    refused = answer(desk, admin, "/what-if", **said)
    assert isinstance(refused, PageAnswer)
    assert refused.status == 400
