"""Pages name their own fields, and count in proper English."""

import re

from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import page_words
from answerable.web.visitor import Visitor
from tests.web.conftest import shown

REPORTER = "agent:claude-code/ana/reporter"


def test_a_page_has_words_for_the_options_of_a_message() -> None:
    for message, shown_as in (
        ("the windows overlap (end of --compare before --since)", "the earlier time"),
        (
            "use --without STATEMENT, --without-policy POLICY or --with FILE",
            "statement",
        ),
        ("for example --by agent,action", "for example by agent,action"),
    ):
        assert shown_as in page_words(message)
        assert "--" not in page_words(message)
    command = "run: answerable trace --agent NAME"
    assert page_words(command) == command


def test_one_row_is_counted_in_the_singular(desk: StoreCache, viewer: Visitor) -> None:
    html = shown(desk, viewer, "/reach", subject="data-reader", action="s3:GetObject")
    counts = re.findall(r">1 (row\b|rows)", html)
    assert len(counts) >= 2
    assert set(counts) == {"row"}
