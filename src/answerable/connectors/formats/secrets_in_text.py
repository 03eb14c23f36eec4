r"""Find secrets in free text: values after secret-like names, and URL passwords.

An argument, a URL or an option contains text of any syntax: JSON (also escaped,
truncated or quoted), JSON5, YAML, a query, a shell command. One rule covers all: the
value after a credential's name is a credential, with any separator (`=`, `:`, a blank),
and so is a password before an `@`. A text with such a value only after decoding
(percent signs, HTML entities, `\u0022`) is hidden completely.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from answerable.connectors.formats.credential_name import (
    ValueMeaning,
    classify_value_by_name,
)
from answerable.connectors.formats.secret_formats import (
    classify_secret_format,
    contains_credential,
    looks_random,
    mask_credentials,
)
from answerable.connectors.formats.value_reference import split_references

HIDDEN = "***"
TEXT_LIMIT = 16_384
_NESTING_LIMIT = 8
_LEAST_WRITTEN = 4  # characters of a secret in a text of a person
SCHEMES = frozenset(
    str.split(
        "bearer basic token bot apikey api-key key ssws geniekey digest negotiate"
    )
)
_SECRET = (ValueMeaning.CREDENTIAL, ValueMeaning.PASSWORD, ValueMeaning.DSN)
_PAIR = re.compile(
    r"""(?P<dash>(?<!\w)--?)?(?P<name>[^\W\d][\w.\-]{0,127}+)(?:\\*["'`])?[\])]?"""
    r"""(?P<mark>\s*(?:=>|:=|[:=])\s*|\s+)"""
)
_OPENING = re.compile(r"""(?P<nested>[\[({][\[({\s]*)?(?P<quote>\\*["'`])?""")
_SCHEME = re.compile(r"(?:(?P<word>[A-Za-z][A-Za-z-]{2,9}):?\s+)?")
_BARE = re.compile(r"""(?:\$\{[^}]*\}|\$\([^)]*\)|[^\s,;&"'`|<>(){}\[\]])*+""")
_NON_SECRET_VALUES = frozenset("&|;<>-")
_TOKEN = re.compile(r"\S*+")
_LINE = re.compile(r"[^\n]*+")
# `user:password@host`; a port or a path before the `@` is none.
_USERINFO = re.compile(
    r"""(?<![\w@.:-])(?P<user>[\w.%+~-]{0,128}+):"""
    r"""(?P<password>(?![\\/]|\d+(?:/|$))[^\s@"']+)@(?!sha\d+:)(?=[\w\[$])"""
)
_AFTER_SCHEME = re.compile(
    r"""://(?P<user>[^\s:/@"']{0,128}+):(?P<password>(?!\d+/)[^\s@"']+)@(?=[\w\[$])"""
)
# Oracle's EZConnect: `user/password@//host:1521/service`.
_EZCONNECT = re.compile(
    r"""(?<![\w@.:-])(?P<user>[\w.$#-]{1,128}+)/(?P<password>[^\s@"'/]+)"""
    r"""@(?!sha\d+:)(?=//|[\w.-]+:\d)"""
)
_USERINFOS = (_USERINFO, _AFTER_SCHEME, _EZCONNECT)
# Prefixes of package names, digests and member types: no user of a URL.
_NON_USERS = frozenset(
    str.split(
        "npm jsr git github gitlab file workspace docker oci pypi sha256 mailto acct "
        "group serviceaccount person email"
    )
)
_BLANK = re.compile(r"\\+[nrt]")
_ESCAPE = re.compile(r"\\+u00([0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class NamedSecret:
    """Secret value after a secret-like name.

    Attributes:
        name: The name; `password` for one before an `@`.
        value: The value itself; kept out of the repr.
        start: Index of its first character.
        stop: Index after the last hidden character.
        certain: False if it may also be a word of a sentence.
    """

    name: str
    value: str
    start: int
    stop: int
    certain: bool

    def __repr__(self) -> str:
        return f"NamedValue({self.name!r}, {self.start}, {self.stop})"


def find_named_secrets(text: str) -> Iterator[NamedSecret]:
    """Yield the values after secret-like names in a text and its decodings.

    A value found only in a decoding spans the whole text.
    """
    text = text[:TEXT_LIMIT]
    found = list(_find_in_text(text))
    yield from found
    seen = {item.value for item in found}
    for decoded in _iter_decodings(text):
        for item in _find_in_text(decoded):
            if item.value not in seen:
                seen.add(item.value)
                yield NamedSecret(item.name, item.value, 0, len(text), item.certain)


def mask_named_secrets(text: str) -> str:
    """Replace each value after a secret-like name by `***`, except references."""
    if len(text) > TEXT_LIMIT:
        return HIDDEN
    shown: list[str] = []
    at = 0
    spans = ((item.start, item.stop) for item in find_named_secrets(text))
    for start, stop in sorted(spans):
        if start > at or not shown:
            shown += (text[at:start], HIDDEN)
        at = max(at, stop)
    return "".join((*shown, text[at:]))


def contains_written_secret(text: str) -> bool:
    """Return whether a text that a person wrote contains a credential.

    Text about credentials contains none: `the token: it was renewed`, `key=s3://a/b`.
    """
    return contains_credential(text) or any(
        _is_written_secret(text, each) for each in find_named_secrets(text)
    )


def mask_written_secrets(text: str) -> str:
    """Replace each credential in a text that a person wrote by `***`."""
    text = mask_credentials(text)
    found = [e for e in find_named_secrets(text) if _is_written_secret(text, e)]
    for value in sorted({each.value for each in found}, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _is_written_secret(text: str, found: NamedSecret) -> bool:
    """Return whether a value after a name is a credential, and no word or address."""
    value = found.value
    if not found.certain or len(value) < _LEAST_WRITTEN:
        return False
    if "://" in value or value.startswith("arn:"):
        return False
    is_assigned = text[: found.start].rstrip("\\\"'`").endswith("=")
    return is_assigned or not value.isalpha()


def find_trailing_secret_name(text: str) -> str:
    """Return the secret-like name at the end of a text, before `=` or `:`."""
    bare = text.rstrip("\"'` ")
    if bare[-1:] not in ("=", ":") or len(bare) > TEXT_LIMIT:
        return ""
    name = re.split(r"[^\w.\-]+", bare[:-1].rstrip("\"'` \\"))[-1]
    return name if is_secret_name(name) else ""


def is_secret_name(name: str) -> bool:
    """Return whether a name indicates a credential value."""
    return classify_value_by_name(name) in _SECRET


def looks_generated(value: str) -> bool:
    """Return whether a value looks generated: a known form, or letters with digits."""
    letters = any(char.isalpha() for char in value)
    digits = any(char.isdigit() for char in value)
    mixed = len(value) >= 8 and letters and digits and not set(value) & set("/\\.:@")
    return (
        mixed
        or bool(classify_secret_format(value))
        or (len(value) >= 16 and looks_random(value))
    )


def strip_auth_scheme(value: str) -> str:
    """Strip the `Bearer ` scheme from an `Authorization` value."""
    return value[_skip_auth_scheme(value, 0) :]


def _skip_auth_scheme(text: str, start: int) -> int:
    """Return the index after `Bearer `, or the same index without a scheme."""
    found = _match_pattern_at(_SCHEME, text, start)
    return found.end() if (found["word"] or "").lower() in SCHEMES else start


def _match_pattern_at(pattern: re.Pattern[str], text: str, start: int) -> re.Match[str]:
    """Match a pattern that matches anywhere, if only nothing, at an index."""
    return next(pattern.finditer(text, start))


def _match_name_and_separator_at(text: str, start: int) -> re.Match[str] | None:
    """Match a name and the mark after it at an index."""
    found = next(_PAIR.finditer(text, start), None)
    joined = found is not None and found.start() == start and found["mark"].strip()
    return found if joined else None


def _find_in_text(text: str) -> Iterator[NamedSecret]:
    """Yield the secrets of a text, without decoding it."""
    for pair in _PAIR.finditer(text):
        if is_secret_name(pair["name"]):
            yield from _find_secret_after_name(
                pair["name"], text, _find_innermost_pair(text, pair)
            )
    for pattern in _USERINFOS:
        for found in pattern.finditer(text):
            if found["user"].lower() not in _NON_USERS:
                start, stop = found.span("password")
                yield from _yield_secret_unless_reference(
                    "password", text, (start, stop, stop), certain=True
                )


def _find_innermost_pair(text: str, pair: re.Match[str]) -> re.Match[str]:
    """Step into an object after a name: `"token": {"value": ...`."""
    for _ in range(_NESTING_LIMIT):
        opening = _match_pattern_at(_OPENING, text, pair.end())
        inner = (
            _match_name_and_separator_at(text, opening.end())
            if opening["nested"]
            else None
        )
        if inner is None:
            break
        pair = inner
    return pair


def _find_secret_after_name(
    name: str, text: str, pair: re.Match[str]
) -> Iterator[NamedSecret]:
    """Yield the secret after a name, quoted or not."""
    joined = bool(pair["mark"].strip())
    start = pair.end()
    opening = _match_pattern_at(_OPENING, text, start)
    nested, quote = opening["nested"], opening["quote"]
    if (
        not joined
        and not quote
        and (nested or text[start : start + 1] in _NON_SECRET_VALUES)
    ):
        return
    start = opening.end()
    if quote:
        closing = _find_closing_quote(text, start, quote)
        span = (start, closing, len(text) if nested else closing)
    else:
        span = _find_unquoted_span(text, start, pair["mark"], joined=joined)
        if nested:
            span = (span[0], span[1], len(text))
    if joined and _is_name_value_pair(text, span):
        span = (span[0], span[0], span[2])  # a name of its own: `auth: {token: ...`
    certain = joined or bool(quote) or pair["dash"] is not None
    yield from _yield_secret_unless_reference(name, text, span, certain=certain)


def _find_unquoted_span(
    text: str, start: int, mark: str, *, joined: bool
) -> tuple[int, int, int]:
    """Find a value without quotes: where it begins, ends, and is hidden up to."""
    inner = _skip_auth_scheme(text, start)
    # A plain YAML scalar extends to the end of the line.
    whole = _LINE if joined and mark[-1:].isspace() else _TOKEN
    return (
        start,
        _match_pattern_at(_BARE, text, inner).end(),
        _match_pattern_at(whole, text, inner).end(),
    )


def _is_name_value_pair(text: str, span: tuple[int, int, int]) -> bool:
    """Return whether a value is itself a secret-like name with a value."""
    pair = _match_name_and_separator_at(text, span[0])
    return (
        pair is not None
        and pair.end("name") in range(span[0], span[1] + 1)
        and is_secret_name(pair["name"])
    )


def _find_closing_quote(text: str, start: int, quote: str) -> int:
    """Return the index of the quote that closes one, or the end of the text."""
    if len(quote) > 1:
        at = text.find(quote, start)
        return at if at >= 0 else len(text)
    at = start
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" and quote != "`" else 1
    return min(at, len(text))


def _yield_secret_unless_reference(
    name: str, text: str, span: tuple[int, int, int], *, certain: bool
) -> Iterator[NamedSecret]:
    """Yield a secret, unless it is empty, hidden or a reference."""
    start, stop, hidden = span
    value = strip_auth_scheme(text[start:stop]).strip()
    if hidden <= start or value == HIDDEN or _is_reference(text[start:hidden]):
        return
    listed = certain or looks_generated(value)
    yield NamedSecret(name, value, start, hidden, listed and bool(value))


def _is_reference(text: str) -> bool:
    """Return whether a text consists of references without default values."""
    pieces = split_references(strip_auth_scheme(text).rstrip(",;"))
    return (
        bool(pieces.references)
        and not pieces.rest.strip("\"'`: ,;{}[]")
        and not any(reference.default for reference in pieces.references)
    )


def _iter_decodings(text: str) -> Iterator[str]:
    """Yield different decodings of the text."""
    if "%" in text:
        yield unquote(text)
        yield unquote(unquote(text))
    if "&" in text and ";" in text:
        yield html.unescape(text)
    if "\\u00" in text:
        yield _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    if "\\" in text:
        yield _BLANK.sub(" ", text)


def read_auth_value(value: str) -> str:
    """Strip `Bearer `; of `Basic` credentials keep the password alone."""
    scheme, blank, rest = value.strip().partition(" ")
    if not blank or scheme.lower().rstrip(":") not in SCHEMES:
        return value.strip()
    rest = rest.strip()
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return rest
        return pair.partition(":")[2] or rest
    return rest
