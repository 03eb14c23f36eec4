"""Redact secrets from command lines, URLs and names for display.

Redaction errs towards hiding: a text is shown only if nothing indicates a secret.
Control and invisible characters never reach a screen.
"""

import re
import unicodedata

from answerable.connectors.formats.secret_formats import (
    classify_secret_format,
    looks_random,
)
from answerable.connectors.formats.secrets_in_text import HIDDEN, mask_named_secrets
from answerable.connectors.formats.url_secrets import (
    has_dsn_password,
    is_url,
    split_url,
)
from answerable.connectors.formats.value_reference import split_references

NAME_LIMIT = 200
_WORD_LIMIT = 160
_TARGET_LIMIT = 600

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SEPARATORS = re.compile(r"([/:,=?&@;|'\"()\[\]{}<>\s]+)")
_NAME_PARTS = re.compile(r"([/:,=?&@;|'\"()\[\]{}<>\s.]+)")


def make_printable_line(text: str, limit: int = NAME_LIMIT) -> str:
    """Make a foreign text printable on one line; `?` if nothing is left.

    Control, formatting (bidirectional, zero-width) and unassigned characters become
    U+FFFD; a text over the limit is truncated.
    """
    cut = text[: limit + 1]
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join(
            "\ufffd" if unicodedata.category(char)[0] == "C" else char
            for char in cut
            if char not in "\u2028\u2029"
        )
    cut = cut.strip()
    if len(cut) > limit:
        cut = cut[: limit - 3] + "..."
    return cut or "?"


def redact_name(text: str) -> str:
    """Redact a foreign name (server, variable, key)."""
    parts = _NAME_PARTS.split(mask_named_secrets(text)[: NAME_LIMIT + 1])
    return make_printable_line(
        "".join(HIDDEN if classify_secret_format(part) else part for part in parts)
    )


def redact_pointer(pointer: str) -> str:
    """Redact a JSON pointer, token by token."""
    if len(pointer) <= NAME_LIMIT and pointer.isascii() and pointer.isprintable():
        tokens = pointer.split("/")
        return "/".join(
            HIDDEN if _is_secret_token(token) else token for token in tokens
        )
    return "/".join(redact_name(token) if token else "" for token in pointer.split("/"))


def _is_secret_token(token: str) -> bool:
    """Return whether a pointer token looks like a secret."""
    return len(token) > 10 and any(
        map(classify_secret_format, _NAME_PARTS.split(token))
    )


def redact_word(word: str) -> str:
    """Redact the secrets in one command-line argument."""
    if len(word) > _WORD_LIMIT or classify_secret_format(word):
        return HIDDEN
    if is_url(word):
        return redact_url(word)
    if has_dsn_password(word):
        return HIDDEN
    word = mask_named_secrets(word)
    pieces = split_references(word)
    if any(reference.default for reference in pieces.references):
        return HIDDEN
    if pieces.dynamic:
        return make_printable_line(word) if not looks_random(pieces.rest) else HIDDEN
    return make_printable_line(_redact_random_parts(word))


def _redact_random_parts(word: str) -> str:
    """Hide the random-looking parts of a word, except an image digest."""
    image, at, digest = word.rpartition("@")
    if at and _DIGEST.fullmatch(digest):
        return _redact_random_parts(image) + at + digest
    parts = _SEPARATORS.split(word)
    return "".join(HIDDEN if _is_secret_part(part) else part for part in parts)


def _is_secret_part(part: str) -> bool:
    """Return whether a part of a word looks like a secret."""
    return bool(classify_secret_format(part)) or (
        len(part) >= 12 and looks_random(part)
    )


def redact_url(url: str) -> str:
    """Redact a URL: userinfo, query values and random path segments."""
    scheme, userinfo, host, query = split_url(url)
    shown = make_printable_line(scheme) + "://" if scheme else ""
    if userinfo:
        shown += (
            make_printable_line(userinfo) + "@"
            if _is_reference(userinfo)
            else HIDDEN + "@"
        )
    shown += (
        make_printable_line(_redact_random_parts(mask_named_secrets(host)), _WORD_LIMIT)
        if host
        else ""
    )
    if query:
        shown += "?" + "&".join(_redact_pair(pair) for pair in query.split("&")[:20])
    return shown


def _redact_pair(pair: str) -> str:
    """Redact the value of a `NAME=value` query pair, except a reference."""
    name, equals, value = pair.partition("=")
    if not equals:
        return HIDDEN
    name = HIDDEN if _is_secret_part(name) else make_printable_line(name)
    return f"{name}={make_printable_line(value) if _is_reference(value) else HIDDEN}"


def _is_reference(text: str) -> bool:
    """Return whether a text consists of references without default values."""
    pieces = split_references(text)
    return (
        bool(pieces.references)
        and not pieces.rest.strip(": ")
        and not any(reference.default for reference in pieces.references)
    )


def format_command_line(words: list[str]) -> str:
    """Join redacted words to a command line of bounded length."""
    return make_printable_line(" ".join(words), _TARGET_LIMIT) if words else ""
