"""The query box: what is spelled reads back as the same, and what is wrong is said."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.lineage.search_query import (
    CHOICES,
    FIELDS,
    SearchQuery,
    parse_search_query,
)
from answerable.model.errors import UsageError

TEXTS = st.text(min_size=1, max_size=30).filter(str.strip)


@st.composite
def queries(draw: st.DrawFn) -> SearchQuery:
    said = {}
    for field in draw(st.sets(st.sampled_from(FIELDS))):
        choices = CHOICES.get(field)
        said[field] = draw(st.sampled_from(choices) if choices else TEXTS)
    words = draw(st.lists(TEXTS, max_size=8, unique=True))
    ordered = tuple((field, said[field]) for field in FIELDS if field in said)
    return SearchQuery(ordered, tuple(words))


@given(queries())
def test_what_is_spelled_reads_back_as_the_same(query: SearchQuery) -> None:
    assert parse_search_query(query.format_as_text) == query


@given(st.text(max_size=200) | st.text(alphabet='ab:" \\*', max_size=40))
def test_any_text_is_a_query_or_is_refused_with_a_reason(text: str) -> None:
    try:
        query = parse_search_query(text)
    except UsageError:
        return
    assert parse_search_query(query.format_as_text) == query


def test_the_query_of_the_manual_is_read() -> None:
    query = parse_search_query(
        "resource:s3://warehouse agent:*bot since:7d status:missing"
    )
    assert dict(query.said) == {
        "resource": "s3://warehouse",
        "agent": "*bot",
        "since": "7d",
        "status": "missing",
    }
    assert (
        query.format_as_text
        == "agent:*bot resource:s3://warehouse status:missing since:7d"
    )


def test_an_action_or_an_arn_is_a_word() -> None:
    words = (
        *("s3:GetObject", "arn:aws:s3:::warehouse", "iam:PassRole", "sts:*"),
        *("s3://warehouse", "https://a.example", "cred:akid/1", "user:ana"),
        "system:serviceaccount:ns:bot",
    )
    for word in words:
        assert parse_search_query(word).words == (word,)


def test_a_value_in_quotes_may_hold_spaces_colons_and_quotes() -> None:
    query = parse_search_query(r'resource:"s3://a b" "status:missing" "say \"hi\""')
    assert query.get_field_value("resource") == "s3://a b"
    assert query.words == ("status:missing", 'say "hi"')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agnet:bot", "did you mean agent:?"),
        ("foo:bar", "unknown field (got foo:)"),
        ("usr:ana", "unknown field (got usr:)"),
        ("resources:x", "did you mean resource:?"),
        ("agent:a agent:b", "given twice"),
        ("agent:", "has no value"),
        ('agent:"', "closing quote is missing"),
        ("status:lost", "one of observed"),
        ("status:tool=gone", "one of observed"),
        ("outcome:refused", "one of success"),
        ("a b c d e f g h i", "too many words"),
        ("x" * 2_001, "too long"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse_search_query(text)


def test_a_query_can_ask_for_more_and_for_less() -> None:
    query = (
        parse_search_query("agent:a word")
        .with_field("resource", "b c")
        .with_field("agent", "")
    )
    assert query.format_as_text == 'resource:"b c" word'
