"""Names that are taken for each other are found; others are left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.authorization.pins.lookalikes import (
    NameSimilarity,
    compare_name_similarity,
    lookalike_skeleton,
)


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("send_mail", "send_mail", NameSimilarity.SAME),
        ("send_mail", "Send-Mail", NameSimilarity.CONFUSABLE),
        ("send_mail", "send_m\u0430il", NameSimilarity.CONFUSABLE),
        ("send_mail", "\uff53\uff45\uff4e\uff44_mail", NameSimilarity.CONFUSABLE),
        ("send_mail", "send_mail\u200b", NameSimilarity.CONFUSABLE),
        ("send_mail", "send_ma\u0131l", NameSimilarity.CONFUSABLE),
        ("login", "1og1n", NameSimilarity.CONFUSABLE),
        ("modern", "modem", NameSimilarity.CONFUSABLE),
        ("send_mail", "send_mails", NameSimilarity.NEAR),
        ("send_mail", "sent_mall", NameSimilarity.NEAR),
        ("read_file", "raed_file", NameSimilarity.NEAR),
        ("get", "set", NameSimilarity.NEAR),
        ("get", "put", None),
        ("go", "do", None),
        ("read_file", "write_file", None),
        ("", "a", None),
    ],
)
def test_two_names_are_as_alike_as_they_look(
    one: str, other: str, how: NameSimilarity | None
) -> None:
    assert compare_name_similarity(one, other) is how
    assert compare_name_similarity(other, one) is how


def distance(one: str, other: str) -> int:
    """The edit distance, slowly."""
    row = list(range(len(other) + 1))
    for at, left in enumerate(one, 1):
        before, row[0] = row[0], at
        for to, right in enumerate(other, 1):
            before, row[to] = (
                row[to],
                min(row[to] + 1, row[to - 1] + 1, before + (left != right)),
            )
    return row[-1]


@settings(max_examples=100, deadline=None)
@given(st.text("abm", min_size=5, max_size=9), st.text("abm", min_size=5, max_size=9))
def test_near_is_what_the_edit_distance_says(one: str, other: str) -> None:
    expected = distance(one, other) <= 2
    assert (compare_name_similarity(one, other) is not None) == expected


@given(st.text(max_size=20))
def test_any_text_has_a_skeleton_that_is_its_own(text: str) -> None:
    assert lookalike_skeleton(lookalike_skeleton(text)) == lookalike_skeleton(
        lookalike_skeleton(lookalike_skeleton(text))
    )
    assert compare_name_similarity(text, text) is NameSimilarity.SAME
