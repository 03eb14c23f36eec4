"""A bundle that somebody sends is checked by its text and a key, and nothing is kept."""

import pytest

from answerable.web.api.operations import ApiOperation
from answerable.web.http.errors import RequestRejected
from answerable.web.routing import (
    DocumentAnswer,
    FileDownload,
    PageAnswer,
    RouteRequest,
)
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import compute_store_stamp
from answerable.web.template_rendering import render_page
from answerable.web.visitor import WebRole
from tests.web.api.conftest import operation
from tests.web.conftest import answer, shown, visitor

SEES = visitor(WebRole.INVESTIGATOR)


@pytest.fixture(scope="module")
def sent(desk: StoreCache) -> tuple[str, str]:
    """A bundle of the sample, and the key of its log."""
    with desk.open_store() as store:
        (number,) = store.run_query("SELECT event_id FROM events LIMIT 1")[0]
        key = str(store.keys.public_key)
    file = answer(desk, SEES, "/proof/bundle", id=number.hex())
    assert isinstance(file, FileDownload)
    return file.body.decode(), key


def page_of(desk: StoreCache, bundle: str, key: str) -> PageAnswer:
    given = answer(desk, SEES, "/evidence/bundle", "POST", bundle=bundle, key=key)
    assert isinstance(given, PageAnswer)
    return given


def told(desk: StoreCache, bundle: str, key: str) -> DocumentAnswer:
    each: ApiOperation = operation("/evidence/bundle/verify", "POST")
    given = each.handle(desk, SEES, RouteRequest(form={"bundle": bundle, "key": key}))
    assert isinstance(given, DocumentAnswer)
    return given


def test_a_bundle_that_holds_is_said_to_and_nothing_is_kept(
    desk: StoreCache, sent: tuple[str, str]
) -> None:
    with desk.open_store() as store:
        before = compute_store_stamp(store)
        page, document = page_of(desk, *sent), told(desk, *sent).document
        assert compute_store_stamp(store) == before
    assert page.values["holds"] is True
    assert list(document.items) == list(page.values["checks"])  # type: ignore[call-overload]
    assert (document.kind, document.failed) == ("verify", False)
    assert sent[0][200:260] not in render_page(page, SEES, RouteRequest())


def test_one_that_was_changed_does_not_hold(
    desk: StoreCache, sent: tuple[str, str]
) -> None:
    bundle, key = sent
    changed = bundle.replace("cloudtrail", "cloudtrain")
    assert changed != bundle
    assert told(desk, changed, key).document.failed
    drawn = render_page(page_of(desk, changed, key), SEES, RouteRequest())
    assert "does not hold" in drawn
    assert ">holds<" not in drawn.replace('scope="col">holds<', "")


@pytest.mark.parametrize(
    "bundle", ["", "{}", "[" * 100_000, "<script>alert(1)</script>", "null", "\u2028"]
)
def test_what_is_no_bundle_is_no_answer(
    desk: StoreCache, sent: tuple[str, str], bundle: str
) -> None:
    page = page_of(desk, bundle, sent[1])
    assert page.values["wrong"]
    drawn = render_page(page, SEES, RouteRequest())
    assert "no result" in drawn
    assert "<script>alert" not in drawn
    with pytest.raises(RequestRejected) as caught:
        told(desk, bundle, sent[1])
    assert caught.value.status in (400, 422)


def test_without_the_key_of_its_log_it_does_not_hold(
    desk: StoreCache, sent: tuple[str, str]
) -> None:
    bundle, key = sent
    for wrong in ("", "x", '"><i>', key[:-4] + "AAAA"):
        page = page_of(desk, bundle, wrong)
        assert page.values["holds"] is False
        assert "<i>" not in render_page(page, SEES, RouteRequest())


def test_the_page_offers_it_with_the_key_of_this_log(
    desk: StoreCache, sent: tuple[str, str]
) -> None:
    assert f'value="{sent[1]}"' in shown(desk, SEES, "/evidence")
