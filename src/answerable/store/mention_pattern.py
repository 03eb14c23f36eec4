"""Regular expression of a mention of a person, for RE2 and for Python.

A name is found in the spellings that logs give it: percent-encoded (also twice), with the
escapes of JSON (also nested), with composed or combining accents, and as an unsalted hash.
"""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterator, Sequence
from string import ascii_letters, digits, punctuation
from urllib.parse import quote

# A name is mentioned where no letter, digit or sign of a longer name adjoins it.
_AFTER = r"($|[^A-Za-z0-9._@-]|\.($|[^A-Za-z0-9]))"
_BEFORE = r"^|[^A-Za-z0-9._%+@-]"
_PLAIN = frozenset(ascii_letters + digits)
# Signs of longer names; each other sign may stand, encoded, before a name.
_SIGNS = frozenset("._%+@-")
_DELIMITERS = "".join(sorted(set(punctuation + " \t\r\n") - _SIGNS))
# Short escapes of JSON; only before an email address, because `DOMAIN\name` is a name.
_SHORT_ESCAPES = r"\\[nrtbf]"


def build_mention_pattern(persons: Sequence[str]) -> str:
    """Build the regular expression of a mention.

    Args:
        persons: Names, with or without `person:`.
    """
    plain = [each.removeprefix("person:").strip() for each in persons]
    names = [text for each in plain for text in _list_spellings(each)]
    hashes = [_escape(text) for each in plain for text in _list_unsalted_hashes(each)]
    before = f"{_BEFORE}|{_encode_delimiters()}"
    if all("@" in each for each in plain):
        before += f"|{_SHORT_ESCAPES}"
    every = "|".join(dict.fromkeys([*names, *hashes]))
    return f"(?i)({before})({every}){_AFTER}"


def _list_spellings(name: str) -> Iterator[str]:
    """Yield the expression of a name with composed accents, and with combining ones."""
    for form in ("NFC", "NFD"):
        yield "".join(map(_spell, unicodedata.normalize(form, name)))


def _spell(sign: str) -> str:
    """Build the expression of one sign of a name, plain or encoded."""
    if sign in _PLAIN:
        return sign
    spellings = [_escape(sign), _percent_encode(sign), _escape_in_json(sign)]
    if sign == " ":
        spellings.append(r"\+")
    return f"(?:{'|'.join(spellings)})"


def _percent_encode(sign: str) -> str:
    """Build the expression of a percent-encoded sign; `%` may be encoded again."""
    text = "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "replace"))
    return text.replace("%", "%(?:25)*")


def _escape_in_json(sign: str) -> str:
    r"""Build the expression of a sign that JSON escapes; `\\` may be escaped again."""
    code = f"\\u{ord(sign):04x}" if ord(sign) < 128 else json.dumps(sign)[1:-1]
    return code.replace("\\", r"\\+")


def _encode_delimiters() -> str:
    """Build the expression of an encoded sign that is part of no name."""
    codes = "|".join(f"{ord(sign):02X}" for sign in _DELIMITERS)
    return rf"(?:%(?:25)*|\\u00)(?:{codes})"


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
