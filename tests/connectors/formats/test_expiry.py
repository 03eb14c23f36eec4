"""An expiry that is parsed by its midnight equals one that is parsed whole."""

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.connectors.formats import timestamps

DATES = (
    "Nov 2, 2026,",
    "Nov 02, 2026",
    "July 31, 2023,",
    "Feb 30, 2026,",
    "Jan 1, 1970,",
)
TWO = st.one_of(st.integers(0, 99).map(str), st.integers(0, 99).map("{:02}".format))
CLOCKS = st.builds(
    lambda parts, mark: mark.join(parts),
    st.lists(
        st.one_of(TWO, st.sampled_from(("", "1a", "\u0661\u0662", "-1"))), max_size=4
    ),
    st.sampled_from((":", ":", ":", ".")),
)
TEXTS = st.builds(
    lambda date, clock, half, space: f"{date}{space}{clock}{space}{half}",
    st.sampled_from(DATES),
    CLOCKS,
    st.sampled_from(("AM", "PM", "am", "XM", "")),
    st.sampled_from((" ", " ", " ", "\u202f", "  ")),
)


@settings(max_examples=500)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_a_known_midnight_changes_no_expiry(texts: list[str]) -> None:
    for date in DATES:
        timestamps.parse_expiry(f"{date} 1:00:00 AM")  # its midnight is known now
    for text in texts:
        assert timestamps.parse_expiry(text) == timestamps._parse_expiry_text(text)


def test_the_usual_spelling_is_exact() -> None:
    for _ in range(2):
        found = timestamps.parse_expiry("Jul 10, 2023, 12:47:05 PM")
        assert found == 1_688_993_225 * 10**9
        assert timestamps.parse_expiry("2023-07-10T12:47:05Z") == found
