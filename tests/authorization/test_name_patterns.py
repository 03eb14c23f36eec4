from urllib.parse import unquote, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.authorization.name_patterns import matches, may_match

PREFIX = "file:///srv/*"
UPWARDS = [
    "file:///srv/../etc/passwd",
    "file:///srv/a/..",
    "file:///srv/%2e%2e/etc/passwd",
    "file:///srv/.%2E/etc/passwd",
    "file:///srv/..%2fetc",
    "file:///srv/%252e%252e/etc",
    "file:///srv/..\\etc",
    "file:///srv/a%5cb",
    "file:///srv/.\t./etc",
    "file:///srv/%00/etc",
    "file:///srv/%0a",
    "file:///srv/..;/etc",
]


@pytest.mark.parametrize("name", UPWARDS)
def test_a_prefix_takes_no_name_that_may_lead_out_of_it(name: str) -> None:
    assert not matches(PREFIX, name)
    assert matches(name, name)
    assert matches("*", name)


@pytest.mark.parametrize("name", UPWARDS)
def test_a_name_that_may_lead_anywhere_gets_the_care_of_any_prefix(name: str) -> None:
    assert may_match("file:///secrets/*", name)


@pytest.mark.parametrize(
    "name",
    [
        "file:///srv/",
        "file:///srv/a.txt",
        "file:///srv/.hidden/a.b.c",
        "file:///srv/a%20b/%C3%A9",
        "file:///srv/é~a",
        "file:///srv/100%",
    ],
)
def test_a_prefix_takes_what_is_plainly_below_it(name: str) -> None:
    assert matches(PREFIX, name)
    assert may_match(PREFIX, name)
    assert not may_match("file:///secrets/*", name)


def test_a_pattern_without_a_star_takes_itself_alone() -> None:
    assert matches("read", "read")
    assert not matches("read", "read_all")
    assert not matches("read", "Read")


@given(st.text("ab./%2eE5cC\\ ", max_size=12))
def test_no_reader_walks_out_of_a_prefix(tail: str) -> None:
    name = "http://h/srv/" + tail
    if matches("http://h/srv/*", name):
        once = unquote(name).replace("\\", "/")
        for read in (name, once, unquote(once).replace("\\", "/")):
            assert urljoin("http://h/", read).startswith("http://h/srv/")


@given(st.text(max_size=8), st.text(max_size=8))
def test_whatever_is_let_through_is_also_taken_care_of(head: str, tail: str) -> None:
    for pattern in (head + "*", head):
        assert may_match(pattern, head + tail) or not matches(pattern, head + tail)


def test_a_long_name_is_read_once() -> None:
    # Backtracking over this would not end.
    assert not matches("a*", "a" * 4000 + "..")
    assert not matches("a*", "a." * 2000 + "\\")
