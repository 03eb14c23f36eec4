"""What a server was shown is found in what it gives back, however it is spelled or cut."""

import base64
import html
import json
import secrets
import string
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.upstream_credentials.leak_filter import (
    NO_SECRETS,
    LeakFilter,
    SecretPatterns,
)
from answerable.gateway.upstream_credentials.secret_encodings import (
    WINDOW,
    list_secret_encodings,
)
from answerable.gateway.wire.http_heads import check_upstream_head
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from tests.gateway.request_builders import sliced

VISIBLE = string.ascii_letters + string.digits + string.punctuation
SECRETS = st.text(st.sampled_from(VISIBLE), min_size=8, max_size=120)
# Text before a secret that begins no escape: `%` before a secret that begins with two
# digits is read as one of them.
BEFORE = st.binary(max_size=40).filter(lambda data: not set(data[-4:]) & set(b"\\%&"))
AWKWARD = "p@ss/w+rd\"\\<&>'`=%$"


def basic(secret: str) -> str:
    return base64.b64encode(f"user:{secret}".encode()).decode()


def net(secret: str) -> str:
    """As .NET escapes by default: more than it has to, in capitals."""
    spelled = secret.replace("\\", "\\\\")
    for each in "\"'`+<>&":
        spelled = spelled.replace(each, f"\\u{ord(each):04X}")
    return spelled


SPELLED: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in JSON": lambda s: json.dumps({"x": s}),
    "in JSON in JSON": lambda s: json.dumps(json.dumps({"x": s})),
    "by PHP": lambda s: json.dumps(s).replace("/", "\\/"),
    "by PHP, in JSON": lambda s: json.dumps(json.dumps(s).replace("/", "\\/")),
    "by Go": lambda s: (
        json.dumps(s)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
    ),
    "by .NET": net,
    "by .NET, in JSON": lambda s: json.dumps(net(s)),
    "percent-encoded": lambda s: quote(s, safe=""),
    "percent-encoded, in a path": quote,
    "percent-encoded, in a form": quote_plus,
    "percent-encoded, by a browser": lambda s: quote(s, safe="!'()*"),
    "in hexadecimal": lambda s: s.encode().hex(),
    "in capital hexadecimal": lambda s: s.encode().hex().upper(),
    "in base64": lambda s: base64.b64encode(s.encode()).decode(),
    "in base64 of an URL": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "in Basic": basic,
    "in base64, after two": lambda s: base64.b64encode(b"ab" + s.encode()).decode(),
    "in base64, in the midst": lambda s: base64.b64encode(f"{{{s}}}".encode()).decode(),
    "in base64, by PHP": lambda s: basic(s).replace("/", "\\/"),
    "in base64, by .NET": lambda s: net(basic(s)),
    "by Gson": lambda s: json.dumps(s).translate(
        {ord(each): f"\\u{ord(each):04x}" for each in "<>&='"}
    ),
    "every letter as JSON may": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "one letter as JSON may": lambda s: (
        f"{s[:-3]}\\u{ord(s[-3]):04X}{s[-2:]}"
        if not set(s) & set('\\"')
        else json.dumps(s)
    ),
    "every byte percent-encoded": lambda s: "".join(f"%{ord(c):02x}" for c in s),
    "percent-encoded twice": lambda s: quote(quote(s, safe=""), safe=""),
    "percent-encoded, by .NET": lambda s: net(quote(s, safe="")),
    "in HTML": html.escape,
    "in HTML, in JSON": lambda s: json.dumps(html.escape(s)),
    "in HTML, by .NET": lambda s: net(html.escape(s)),
    "cut short in front": lambda s: s[-WINDOW:],
}


@pytest.mark.parametrize("spell", SPELLED.values(), ids=SPELLED)
@given(secret=SECRETS, before=BEFORE, after=st.binary(max_size=40))
@settings(max_examples=40)
def test_a_secret_is_found_however_it_is_spelled(
    spell: Callable[[str], str], secret: str, before: bytes, after: bytes
) -> None:
    data = before + spell(secret).encode() + after
    assert NO_SECRETS.with_secret(secret).occurs_in(data)


@pytest.mark.parametrize("spell", SPELLED.values(), ids=SPELLED)
def test_an_awkward_secret_is_found_however_it_is_spelled(
    spell: Callable[[str], str],
) -> None:
    assert NO_SECRETS.with_secret(AWKWARD).occurs_in(spell(AWKWARD).encode())


def where_it_begins(secret: str, spell: Callable[[str], str]) -> int:
    """Count the characters before the window of a secret in what spells it."""
    at = max(0, len(secret) - WINDOW)
    other = secret[:at] + ("x" if secret[at] != "x" else "y") + secret[at + 1 :]
    pairs = zip(spell(secret), spell(other), strict=False)
    return next(at for at, (one, two) in enumerate(pairs) if one != two)


def watched(watch: LeakFilter, slices: list[bytes]) -> tuple[bytes, bool]:
    """What goes on of slices, and whether a secret was found."""
    passed = b""
    try:
        for each in slices:
            passed += watch.check_body_piece(each)
    except RequestRefused as refused:
        return passed, refused.why is RefusalReason.CREDENTIAL
    return passed + watch.take_buffered_bytes(), False


@given(
    secret=SECRETS,
    spell=st.sampled_from(list(SPELLED.values())),
    around=st.tuples(BEFORE, st.binary(max_size=200)),
    cuts=st.lists(st.integers(0, 10_000), max_size=8),
)
@settings(max_examples=100)
def test_no_piece_of_a_secret_goes_on_however_it_is_cut(
    secret: str,
    spell: Callable[[str], str],
    around: tuple[bytes, bytes],
    cuts: list[int],
) -> None:
    leaks = NO_SECRETS.with_secret(secret)
    data = around[0] + spell(secret).encode() + around[1]
    passed, is_found = watched(LeakFilter(leaks), sliced(data, cuts))
    assert is_found
    assert data.startswith(passed)
    # One character of base64 may hold bits of the secret and of the text before it.
    assert len(passed) <= len(around[0]) + where_it_begins(secret, spell) + 1


@given(
    secret=st.text(st.sampled_from("ab"), min_size=8, max_size=12),
    data=st.text(st.sampled_from("abc"), max_size=60),
    cuts=st.lists(st.integers(0, 100), max_size=12),
)
@settings(max_examples=150)
def test_what_is_found_does_not_depend_on_how_it_is_cut(
    secret: str, data: str, cuts: list[int]
) -> None:
    # Of two letters, a secret is begun again and again.
    whole = data.encode()
    passed, is_found = watched(
        LeakFilter(NO_SECRETS.with_secret(secret)), sliced(whole, cuts)
    )
    assert is_found == (secret in data)
    if not is_found:
        assert passed == whole


def test_a_body_goes_on_as_the_bytes_that_came_and_nothing_is_held() -> None:
    watch = LeakFilter(NO_SECRETS.with_secret(secrets.token_urlsafe(32)))
    piece = json.dumps({"text": "hello " * 1000}).encode()
    for _ in range(3):
        assert watch.check_body_piece(piece) is piece
    assert watch.take_buffered_bytes() == b""


def test_of_a_long_secret_less_than_a_spelling_of_its_window_is_held() -> None:
    token = secrets.token_urlsafe(6000)
    watch = LeakFilter(NO_SECRETS.with_secret(token))
    begun = token[-WINDOW:-1].encode()
    assert watch.check_body_piece(b"x" * 100 + begun) == b"x" * 100
    assert watch.take_buffered_bytes() == begun


def test_the_secret_before_the_newest_is_looked_for_and_older_ones_are_not() -> None:
    first, second, third = (f"{word}-{secrets.token_hex(8)}" for word in "abc")
    leaks = NO_SECRETS.with_secret(first).with_secret(second)
    assert leaks.occurs_in(first.encode())
    assert leaks.with_secret(second).occurs_in(
        first.encode()
    )  # it is the same one still
    leaks = leaks.with_secret(third)
    assert [leaks.occurs_in(each.encode()) for each in (first, second, third)] == [
        False,
        True,
        True,
    ]


def test_it_is_found_in_a_head() -> None:
    secret = secrets.token_urlsafe(24)
    watch = LeakFilter(NO_SECRETS.with_secret(secret))
    kind = {"content-type": "application/json"}
    watch.check_head(check_upstream_head(200, kind | {"x-not-relayed": secret}))
    for name in ("mcp-echo", "mcp-session-id", "cache-control"):
        with pytest.raises(RequestRefused):
            watch.check_head(check_upstream_head(200, kind | {name: f"a {secret} b"}))


@pytest.mark.parametrize("part", ["e", "ey", "abcd", "", "=="])
def test_a_body_made_to_be_slow_is_not(part: str) -> None:
    secret = "abcdabcdabcdabcd" + secrets.token_urlsafe(40)
    leaks = NO_SECRETS.with_secret(part * 8 + secret)
    piece = ((part or "x") * (1 << 20)).encode()[: 1 << 20]
    began = time.process_time()
    watch = LeakFilter(leaks)
    for at in range(0, 1 << 20, 1 << 16):
        watch.check_body_piece(piece[at : at + (1 << 16)])
    assert time.process_time() - began < 0.5
    assert repr(leaks) == "Leaks()"


def test_few_spellings_are_looked_for_and_none_is_short() -> None:
    for secret in (secrets.token_hex(20), secrets.token_urlsafe(600), AWKWARD):
        found = list_secret_encodings(secret)
        assert len(found) <= 64
        assert min(map(len, found)) >= 10
        assert max(map(len, found)) <= 6 * WINDOW
    assert SecretPatterns(()).occurs_in(b"anything") is False
