"""A bundle that somebody sends is checked by its text and a key, and nothing is kept."""

import pytest

from answerable.web.api.operations import Operation
from answerable.web.http.errors import Refused
from answerable.web.routing import Asked, File, Page, Told
from answerable.web.store_cache import Desk
from answerable.web.store_view import stamp
from answerable.web.template_rendering import render
from answerable.web.visitor import Role
from tests.web.api.conftest import operation
from tests.web.conftest import answer, shown, visitor

SEES = visitor(Role.INVESTIGATOR)


@pytest.fixture(scope="module")
def sent(desk: Desk) -> tuple[str, str]:
    """A bundle of the sample, and the key of its log."""
    with desk.store() as store:
        (number,) = store.rows("SELECT event_id FROM events LIMIT 1")[0]
        key = str(store.keys.public)
    file = answer(desk, SEES, "/proof/bundle", id=number.hex())
    assert isinstance(file, File)
    return file.body.decode(), key


def page_of(desk: Desk, bundle: str, key: str) -> Page:
    given = answer(desk, SEES, "/evidence/bundle", "POST", bundle=bundle, key=key)
    assert isinstance(given, Page)
    return given


def told(desk: Desk, bundle: str, key: str) -> Told:
    each: Operation = operation("/evidence/bundle/verify", "POST")
    given = each.answer(desk, SEES, Asked(form={"bundle": bundle, "key": key}))
    assert isinstance(given, Told)
    return given


def test_a_bundle_that_holds_is_said_to_and_nothing_is_kept(
    desk: Desk, sent: tuple[str, str]
) -> None:
    with desk.store() as store:
        before = stamp(store)
        page, document = page_of(desk, *sent), told(desk, *sent).document
        assert stamp(store) == before
    assert page.values["holds"] is True
    assert list(document.items) == list(page.values["checks"])  # type: ignore[call-overload]
    assert (document.kind, document.failed) == ("verify", False)
    assert sent[0][200:260] not in render(page, SEES, Asked())


def test_one_that_was_changed_does_not_hold(desk: Desk, sent: tuple[str, str]) -> None:
    bundle, key = sent
    changed = bundle.replace("cloudtrail", "cloudtrain")
    assert changed != bundle
    assert told(desk, changed, key).document.failed
    drawn = render(page_of(desk, changed, key), SEES, Asked())
    assert "does not hold" in drawn
    assert ">holds<" not in drawn.replace('scope="col">holds<', "")


@pytest.mark.parametrize(
    "bundle", ["", "{}", "[" * 100_000, "<script>alert(1)</script>", "null", "\u2028"]
)
def test_what_is_no_bundle_is_no_answer(
    desk: Desk, sent: tuple[str, str], bundle: str
) -> None:
    page = page_of(desk, bundle, sent[1])
    assert page.values["wrong"]
    drawn = render(page, SEES, Asked())
    assert "no answer" in drawn
    assert "<script>alert" not in drawn
    with pytest.raises(Refused) as caught:
        told(desk, bundle, sent[1])
    assert caught.value.status in (400, 422)


def test_without_the_key_of_its_log_it_does_not_hold(
    desk: Desk, sent: tuple[str, str]
) -> None:
    bundle, key = sent
    for wrong in ("", "x", '"><i>', key[:-4] + "AAAA"):
        page = page_of(desk, bundle, wrong)
        assert page.values["holds"] is False
        assert "<i>" not in render(page, SEES, Asked())


def test_the_page_offers_it_with_the_key_of_this_log(
    desk: Desk, sent: tuple[str, str]
) -> None:
    assert f'value="{sent[1]}"' in shown(desk, SEES, "/evidence")
