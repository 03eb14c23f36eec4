r"""Regular expression of a mention of a person, for RE2 and for Python.

A name is found in the spellings that logs give it: percent-encoded (also twice), with the
escapes of JSON (also nested), with composed or combining accents, with `+` for a space in
a form, and as an unsalted hash. Letters and digits must be decoded first.
"""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterator, Sequence
from string import ascii_letters, digits, punctuation
from urllib.parse import quote

# Stands before a decoded letter if its backslash may be a sign of the name.
MARK = "\ue000"
_PLAIN = frozenset(ascii_letters + digits)
# Signs of longer names; each other sign may stand, encoded, before a name.
_SIGNS = frozenset("._%+@-")
_DELIMITERS = "".join(sorted(set(punctuation + " \t\r\n") - _SIGNS))
# Signs that a form leaves as they are.
_OF_FORMS = _PLAIN | frozenset("*-._")
# Short escapes of JSON; only before an email address, because `DOMAIN\name` is a name.
_SHORT_ESCAPES = r"\\[nrtbf]"
_BACKSLASH = r"(?:\\|%(?:25)*5C)+"
# What precedes the two hex digits of an encoded byte.
_ENCODED = rf"(?:%|{_BACKSLASH}u00)(?:25)*"
# A query of a URL up to a `+`, which is a space there.
_QUERY = r"\?[^\s?]*\+"


def build_mention_pattern(persons: Sequence[str]) -> str:
    """Build the regular expression of a mention.

    Args:
        persons: Names, with or without `person:`.
    """
    plain = [each.removeprefix("person:").strip() for each in persons]
    every = "|".join(dict.fromkeys(text for each in plain for text in _list(each)))
    return f"(?i)(?:{every})"


def _list(name: str) -> Iterator[str]:
    """Yield the expressions of the mentions of a name; each text mentions no name."""
    if not name:
        yield ""
        return
    is_address = "@" in name
    start, after = _build_edges(MARK if "\\" in name else "")
    before = f"{start}|{_ENCODED}(?:{_list_codes(_DELIMITERS)})"
    before += rf"|{_QUERY}|{_SHORT_ESCAPES}" if is_address else r"|\+"
    forms = dict.fromkeys(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    plain = "|".join(map(_spell_name, forms))
    hashes = "|".join(dict.fromkeys(map(_escape, _list_unsalted_hashes(name))))
    yield f"(?:{before})(?:{plain}|{hashes}){after}"
    if is_address:
        # `+` belongs to an address, unless the text is a form.
        encoded = "|".join("".join(map(_spell_in_form, form)) for form in forms)
        yield rf"\+(?:(?:{plain})[+&]|(?:{encoded}){after})"


def _build_edges(mark: str) -> tuple[str, str]:
    """Build what precedes and follows a name: no letter, digit or sign of a longer one.

    Args:
        mark: Belongs to the letter after it; empty if the text has no marks.
    """
    return (
        rf"^|[^A-Za-z0-9._%+@{mark}-]",
        rf"($|[^A-Za-z0-9._@{mark}-]|\.($|[^A-Za-z0-9{mark}]))",
    )


def _spell_name(name: str) -> str:
    """Build the expression of a name; a mark may be the backslash before a letter."""
    if "\\" not in name:
        return "".join(map(_spell, name))
    backslash, found, is_after = _spell("\\"), "", False
    for sign in name:
        if sign == "\\":
            is_after = True  # several count as one
            continue
        marked = f"{MARK}?{sign}" if sign in _PLAIN else _spell(sign)
        if is_after:
            marked = backslash + marked
            if sign in _PLAIN:
                marked = f"(?:{marked}|{MARK}{sign})"
        found, is_after = found + marked, False
    return found + (backslash if is_after else "")


def _spell(sign: str) -> str:
    """Build the expression of one sign of a name, plain or encoded."""
    if sign in _PLAIN:
        return sign
    plain = _BACKSLASH if sign == "\\" else _escape(sign)
    space = r"|\+" if sign == " " else ""
    return f"(?:{plain}|{_encode(sign)}{space})"


def _spell_in_form(sign: str) -> str:
    """Build the expression of one sign of a name as a form has it."""
    if sign in _OF_FORMS:
        return _spell(sign)
    return rf"(?:\+|{_encode(sign)})" if sign == " " else f"(?:{_encode(sign)})"


def _encode(sign: str) -> str:
    """Build the expression of one encoded sign, in upper or lower case."""
    if sign.isascii():
        return f"{_ENCODED}{_list_codes(sign)}"
    cases = sorted({sign, sign.lower(), sign.upper()})
    texts = [
        "".join(f"{_ENCODED}{byte:02X}" for byte in each.encode("utf-8", "replace"))
        for each in cases
    ]
    texts += [json.dumps(each)[1:-1].replace("\\", _BACKSLASH) for each in cases]
    return "|".join(texts)


def _list_codes(signs: Sequence[str]) -> str:
    """List the hex codes of ASCII signs as alternatives."""
    return "|".join(f"{ord(sign):02X}" for sign in signs)


def _list_unsalted_hashes(name: str) -> Iterator[str]:
    """Yield SHA-256 of a name, as written and in lower case, in hex and in base64.

    Sources write such hashes instead of names; each can be found by trying names.
    """
    for value in (name, name.lower()):
        digest = hashlib.sha256(value.encode("utf-8", "replace")).digest()
        yield digest.hex()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(digest).decode("ascii").rstrip("=")
            yield text
            yield quote(text, safe="")


def _escape(text: str) -> str:
    """Escape a text for a regular expression of RE2 and of Python."""
    return "".join(f"\\{each}" if each in punctuation else each for each in text)
