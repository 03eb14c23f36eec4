"""URIs are compared by what they name, and by nothing a reader could see otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.federation.uri_normalisation import normalise_uri

SAME: list[tuple[str, list[str]]] = [
    (
        "https://example.com/",
        [
            "https://example.com",
            "https://example.com:443",
            "https://example.com:/",
            "HTTPS://EXAMPLE.com/",
            "https://example.com/?a=b",
            "https://example.com#f",
            "https://example.com/.",
            "https://example.com/..",
            "https://example.com/a/..",
        ],
    ),
    ("http://example.com/", ["http://example.com:80"]),
    # RFC 3986 5.2.4 and 6.2.2
    ("https://example.com/a/g", ["https://example.com/a/b/c/./../../g"]),
    ("https://example.com/~smith/", ["https://example.com/%7Esmith/"]),
    ("https://example.com/a%2Fb", ["https://example.com/a%2fb"]),
    ("https://example.com/a/", ["https://example.com/a/b/.."]),
    ("https://[2001:db8::1]:8443/", ["https://[2001:DB8::1]:8443"]),
]

NONE = [
    "",
    "/",
    "//example.com/",
    "example.com",
    "ftp://example.com/",
    "https:///x",
    "https://",
    "https:example.com",
    "https://user@example.com/",
    "https://@example.com/",
    "https://user:pw@example.com/",
    "https://example.com:x/",
    "https://example.com:70000/",
    "https://[::1/",
    "https://ex ample.com/",
    "https://example.com/a b",
    "https://example.com/\n",
    "https://example.com/\tx",
    "https://example.com\\@evil.example/",
    "https://example.com\\x/",
    "https://example.com/a\\b",
    "https://\u0435xample.com/",
    "https://example.com/\u00e9",
    "https://ex%61mple.com/",
    "https://example.com/%",
    "https://example.com/%2",
    "https://example.com/%zz",
    "https://example.com/%+1",
    "https://example.com/" + "a" * 5000,
]

DIFFERENT = [
    "https://example.com/a",
    "https://example.com/A",
    "https://example.com/a/",
    "https://example.com//a",
    "https://example.com/a%2Fb",
    "https://example.com/a/b",
    "https://example.com/a%252Fb",
    "https://example.com:8443/a",
    "http://example.com/a",
    "https://example.com./a",
    "https://www.example.com/a",
]


@pytest.mark.parametrize(("normal", "spellings"), SAME)
def test_spellings_of_one_uri_are_one(normal: str, spellings: list[str]) -> None:
    assert normalise_uri(normal) == normal
    assert [normalise_uri(text) for text in spellings] == [normal] * len(spellings)


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_plain_uri_has_no_normal_form(text: str) -> None:
    assert normalise_uri(text) is None


def test_a_uri_has_at_most_4096_letters() -> None:
    longest = "https://example.com/".ljust(4096, "a")
    assert normalise_uri(longest) == longest
    assert normalise_uri(longest + "a") is None


def test_different_uris_stay_different() -> None:
    found = {normalise_uri(text) for text in DIFFERENT}
    assert None not in found
    assert len(found) == len(DIFFERENT)


@settings(max_examples=100)
@given(st.text("aA/.%27Ee~?#:@[]\\ 4", max_size=30))
def test_a_normal_form_is_its_own_normal_form(tail: str) -> None:
    normal = normalise_uri("https://example.com/" + tail)
    if normal is not None:
        assert normalise_uri(normal) == normal
        assert "/../" not in normal
        assert normal.startswith("https://example.com/")
