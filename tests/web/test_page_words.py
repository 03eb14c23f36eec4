"""Pages name their own fields, and count in proper English."""

import re

import pytest

from answerable.web.routing import PageAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import page_words
from answerable.web.template_rendering import render_page
from answerable.web.visitor import Visitor
from tests.web.conftest import answer, shown

REPORTER = "agent:claude-code/ana/reporter"


def test_a_page_has_words_for_the_options_of_a_message() -> None:
    for message, shown_as in (
        ("the windows overlap (end of --compare before --since)", "the earlier time"),
        (
            "use --without STATEMENT, --without-policy POLICY or --with FILE",
            "statement",
        ),
        ("for example --by agent,action", "for example agent,action"),
        ("for example: --compare 14d..7d", "for example: 14d..7d"),
    ):
        assert shown_as in page_words(message)
        assert "--" not in page_words(message)
    for command in ("run: answerable trace --agent NAME", "answerable agents --kind x"):
        assert page_words(command) == command
    hint = "see `answerable agents`, `identities` and `credentials` for what is known"
    assert page_words(hint).startswith("see the page agents, identities and")
    assert page_words("list the people: answerable people").endswith("the page people")


def test_one_row_is_counted_in_the_singular(desk: StoreCache, viewer: Visitor) -> None:
    html = shown(desk, viewer, "/reach", subject="data-reader", action="s3:GetObject")
    counts = re.findall(r">1 (row\b|rows)", html)
    assert len(counts) >= 2
    assert set(counts) == {"row"}


@pytest.mark.parametrize(
    ("path", "said", "lacking"),
    [
        ("/reach", {"action": "s3:*"}, "a subject is missing"),
        ("/who-can", {"action": "s3:GetObject"}, "a resource is missing"),
        ("/can", {"subject": REPORTER}, "an action and a resource are missing"),
        ("/can", {}, ""),
        ("/reach", {}, ""),
    ],
)
def test_a_question_filled_in_half_names_what_it_lacks(
    desk: StoreCache, viewer: Visitor, path: str, said: dict[str, str], lacking: str
) -> None:
    html = shown(desk, viewer, path, **said)
    assert lacking in html
    assert ('role="alert"' in html) is bool(lacking)


def test_a_bundle_that_is_none_is_not_called_verified(
    desk: StoreCache, admin: Visitor
) -> None:
    form = {"bundle": "none", "key": "no key"}
    page = answer(desk, admin, "/evidence/bundle", "POST", **form)
    assert isinstance(page, PageAnswer)
    html = render_page(page, admin, RouteRequest(url="/evidence/bundle"))
    assert "Nothing was verified" in html
    assert "Verified with the key" not in html
