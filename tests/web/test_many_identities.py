"""Pages of a snapshot with too many identities to follow every path."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.web.conftest import answer, shown

USER = "arn:aws:iam::111122223333:user/report-bot"
OBJECTS = "s3://example-reports/*"


@pytest.fixture
def many(estate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreCache]:
    for name in ("query_context.MOST_FOLLOWED", "query_context.MOST_AT_COMMAND"):
        monkeypatch.setattr(f"answerable.reach.aws.{name}", 3)
    monkeypatch.setattr("answerable.reach.aws.platform.MOST_AT_COMMAND", 3)
    made = StoreCache(estate / "store")
    yield made
    made.close()


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
