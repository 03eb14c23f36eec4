"""Redaction of command lines, URLs and names: shows everything except secrets.

Redaction errs towards hiding: a text is shown only if nothing indicates a secret.
Control and invisible characters never reach a screen.
"""

import re
import unicodedata

from answerable.connectors.formats.secret_shapes import is_random, shape_of
from answerable.connectors.formats.secrets_in_text import HIDDEN, mask_values
from answerable.connectors.formats.url_secrets import (
    has_dsn_password,
    is_url,
    split_url,
)
from answerable.connectors.formats.value_reference import take_apart

NAME_LIMIT = 200
_WORD_LIMIT = 160
_TARGET_LIMIT = 600

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SEPARATORS = re.compile(r"([/:,=?&@;|'\"()\[\]{}<>\s]+)")
_NAME_PARTS = re.compile(r"([/:,=?&@;|'\"()\[\]{}<>\s.]+)")


def clean(text: str, limit: int = NAME_LIMIT) -> str:
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


def show_name(text: str) -> str:
    """Redact a foreign name (server, variable, key)."""
    parts = _NAME_PARTS.split(mask_values(text)[: NAME_LIMIT + 1])
    return clean("".join(HIDDEN if shape_of(part) else part for part in parts))


def show_pointer(pointer: str) -> str:
    """Redact a JSON pointer, token by token."""
    if len(pointer) <= NAME_LIMIT and pointer.isascii() and pointer.isprintable():
        tokens = pointer.split("/")
        return "/".join(
            HIDDEN if _is_secret_token(token) else token for token in tokens
        )
    return "/".join(show_name(token) if token else "" for token in pointer.split("/"))


def _is_secret_token(token: str) -> bool:
    return len(token) > 10 and any(map(shape_of, _NAME_PARTS.split(token)))


def show_word(word: str) -> str:
    """Redact one argument."""
    if len(word) > _WORD_LIMIT or shape_of(word):
        return HIDDEN
    if is_url(word):
        return show_url(word)
    if has_dsn_password(word):
        return HIDDEN
    word = mask_values(word)
    pieces = take_apart(word)
    if any(reference.default for reference in pieces.references):
        return HIDDEN
    if pieces.dynamic:
        return clean(word) if not is_random(pieces.rest) else HIDDEN
    return clean(_hide_random(word))


def _hide_random(word: str) -> str:
    image, at, digest = word.rpartition("@")
    if at and _DIGEST.fullmatch(digest):
        return _hide_random(image) + at + digest
    parts = _SEPARATORS.split(word)
    return "".join(HIDDEN if _is_secret_part(part) else part for part in parts)


def _is_secret_part(part: str) -> bool:
    return bool(shape_of(part)) or (len(part) >= 12 and is_random(part))


def show_url(url: str) -> str:
    """Redact a URL: userinfo, query values and random path segments."""
    scheme, userinfo, host, query = split_url(url)
    shown = clean(scheme) + "://" if scheme else ""
    if userinfo:
        shown += clean(userinfo) + "@" if _is_reference(userinfo) else HIDDEN + "@"
    shown += clean(_hide_random(mask_values(host)), _WORD_LIMIT) if host else ""
    if query:
        shown += "?" + "&".join(_show_pair(pair) for pair in query.split("&")[:20])
    return shown


def _show_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return HIDDEN
    name = HIDDEN if _is_secret_part(name) else clean(name)
    return f"{name}={clean(value) if _is_reference(value) else HIDDEN}"


def _is_reference(text: str) -> bool:
    pieces = take_apart(text)
    return (
        bool(pieces.references)
        and not pieces.rest.strip(": ")
        and not any(reference.default for reference in pieces.references)
    )


def show_target(words: list[str]) -> str:
    """Join redacted words to a command line of bounded length."""
    return clean(" ".join(words), _TARGET_LIMIT) if words else ""
