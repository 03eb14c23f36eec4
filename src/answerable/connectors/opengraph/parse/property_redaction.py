"""Redaction of secret values in the texts of foreign graphs.

A value is hidden for its own form, not for the words around it: graphs of collectors
name secrets, tokens and keys, and contain queries and workflow files about them. The
name before a value decides only between a password and another credential.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from answerable.connectors.formats.credential_name import (
    ValueMeaning,
    classify_value_by_name,
)
from answerable.connectors.formats.secret_formats import (
    classify_secret_format,
    compute_entropy,
)
from answerable.connectors.formats.secrets_in_text import (
    HIDDEN,
    TEXT_LIMIT,
    NamedSecret,
    find_named_secrets,
    looks_generated,
)

# As `user:ana@example.com`, which has the form of a name and a password before a host.
_PRINCIPAL = re.compile(
    r"((?:.*/)?)((?:user|group|serviceAccount):)([^@:/\s]+@[\w-]+(?:\.[\w-]+)+)"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
    r"(?:[^-]|-(?!----END ))*+(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
)
_SEPARATORS = re.compile(r"([/:,=?&@;|'\"()\[\]{}<>\s.]+)")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
# Name right before a value: `{node_id: 'VALUE'`.
_NAME_BEFORE = re.compile(r"""([\w.-]{1,128})\\*["'`]?\s{0,9}[:=]\s{0,9}\\*["'`]?\Z""")
# Words of a text; a quote or a bracket shows that a word is code about a value.
_WORDS = re.compile(r"\S+")
_CODE = frozenset("'\"`()[]{}<>")
_QUOTES = "\"'`,;"
_CLOSING = re.compile(r"[\])}]")
_PASSES = 8
# Values of settings about a password or a token; the name of a type is one, too.
_SETTINGS = frozenset(
    str.split(
        "read write admin none null true false yes no on off inherit required optional "
        "enabled disabled never always expired unknown string"
    )
)
_TYPE_NAME = re.compile(r"[A-Z][A-Z0-9]{0,7}_[A-Z][A-Za-z]+")


def redact_graph_text(text: str) -> str:
    """Redact the secrets of a text; a second redaction changes nothing."""
    return _repeat_until_stable(text, _redact_once)


def redact_graph_id(text: str) -> str:
    """Redact an id; the address of a principal of Google Cloud is no password."""
    return _repeat_until_stable(text, _redact_id_once)


def redact_graph_property(name: str, value: str) -> str:
    """Redact a text by its form, and by the name of its property."""
    meaning = classify_value_by_name(name)
    if meaning is ValueMeaning.PASSWORD and _looks_like_password(value):
        return HIDDEN
    if meaning is ValueMeaning.CREDENTIAL:
        return _repeat_until_stable(
            value, lambda text: _redact_id_once(_redact_credential(text))
        )
    return redact_graph_id(value)


def _repeat_until_stable(text: str, redact: Callable[[str], str]) -> str:
    """Redact a text until nothing changes; hide it if that takes too long."""
    for _ in range(_PASSES):
        redacted = redact(text)
        if redacted == text:
            return text
        text = redacted
    return HIDDEN


def _redact_credential(value: str) -> str:
    """Hide the value of a credential, or its words that look like secrets."""
    if len(value.split()) > 1:
        return _WORDS.sub(_hide_secret_word, value)
    return HIDDEN if _looks_secret(value) else value


def _hide_secret_word(found: re.Match[str]) -> str:
    """Return a word of the value of a credential, hidden if it looks like a secret."""
    word = found[0]
    return word if _CODE & set(word) or not _looks_secret(word) else HIDDEN


def _redact_id_once(text: str) -> str:
    """Redact what one pass over an id finds."""
    found = _PRINCIPAL.fullmatch(text)
    if found is None:
        return _redact_once(text)
    return f"{_redact_once(found[1])}{found[2]}{_redact_once(found[3])}"


def _redact_once(text: str) -> str:
    """Redact what one pass over a text finds."""
    if len(text) > TEXT_LIMIT:
        return HIDDEN
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    spans = ((e.start, e.stop) for e in find_named_secrets(text) if _is_secret(text, e))
    parts = _SEPARATORS.split("".join(_replace_spans(text, sorted(spans))))
    return "".join(HIDDEN if _has_secret_format(each) else each for each in parts)


def _replace_spans(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the parts of a text, with each span hidden."""
    at = 0
    for start, stop in spans:
        if start >= at:
            yield text[at:start]
            yield HIDDEN
        at = max(at, stop)
    yield text[at:]


def _has_secret_format(part: str) -> bool:
    """Return whether a text has the form of a secret; ids of access keys are none."""
    return classify_secret_format(part) not in ("", "aws-access-key", "aws-session")


def _is_secret(text: str, found: NamedSecret) -> bool:
    """Return whether the value after a secret-like name is a secret by its own form."""
    start = max(0, found.start - 160)
    before = next(_NAME_BEFORE.finditer(text, start, found.start), None)
    if not found.certain or (before and _is_setting(before[1])):
        return False
    if classify_value_by_name(found.name) is not ValueMeaning.CREDENTIAL:
        return _looks_like_password(found.value)
    closing = next(_CLOSING.finditer(text, found.start, found.stop), None)
    end = closing.start() if closing else found.stop
    words = (found.value, *text[found.start : end].split())
    return any(_looks_secret(each.strip(_QUOTES)) for each in words)


def _is_setting(name: str) -> bool:
    """Return whether a name says that its value is an id, a name or a type of a secret."""
    return classify_value_by_name(f"token_{name}") is ValueMeaning.NOTHING


def _looks_secret(value: str) -> bool:
    """Return whether a value looks generated, also as base64 with its special characters."""
    if looks_generated(value):
        return True
    return _BASE64.fullmatch(value) is not None and (
        any(each.isupper() for each in value)
        and any(each.islower() for each in value)
        and any(each.isdigit() for each in value)
        and compute_entropy(value) >= 4
    )


def _looks_like_password(value: str) -> bool:
    """Return whether a value may be a password: any but a setting or a type."""
    bare = value.strip(_QUOTES)
    return bool(
        bare
        and bare != HIDDEN
        and bare.lower() not in _SETTINGS
        and not _TYPE_NAME.fullmatch(bare)
    )
