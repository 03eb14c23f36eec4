"""Find literal credentials and JSON in the script of a workflow step (`run:`)."""

import re
from collections.abc import Iterator
from itertools import islice

from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_free_text,
    find_in_text_by_format,
    find_in_variable,
)
from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.jsonc_parser import parse_jsonc
from answerable.connectors.formats.secrets_in_text import looks_generated
from answerable.model.credential import CredentialClass
from answerable.model.errors import ParseError

_TEXT_LIMIT = 100_000
_WORDS_LIMIT = 5_000
_MAX_TRIES = 20
_WORD = re.compile(r"""[^\s;&|()"']*(?:"[^"\n]*"|'[^'\n]*')|[^\s;&|()]+""")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,127})=(.*)", re.DOTALL)


def find_script_literals(script: NamedText) -> tuple[FoundCredential, ...]:
    """Find literal credentials: assignments, options and values of known forms."""
    found: dict[FoundCredential, None] = {}
    seen: set[str] = set()
    for line in script.value[:_TEXT_LIMIT].split("\n"):
        for each in _find_line_literals(NamedText("run", script.pointer, line)):
            if each.value not in seen:
                seen.add(each.value)
                found[each] = None
    return tuple(found)


def _find_line_literals(line: NamedText) -> Iterator[FoundCredential]:
    """Yield credentials written in one line of a workflow's shell script."""
    words = [word.group() for word in _WORD.finditer(line.value)][:_WORDS_LIMIT]
    for word in words:
        assigned = _ASSIGNMENT.fullmatch(word)
        if assigned is not None:
            bare = assigned[2].strip("\"'")
            named = NamedText(assigned[1], line.pointer, bare)
            yield from filter(_is_static_literal, find_in_variable(named))
        elif "=" not in word:
            bare = word.strip("\"'")
            yield from filter(
                _is_static_literal,
                find_in_text_by_format(NamedText("run", line.pointer, bare)),
            )
    for each in find_in_free_text(line):
        if _is_static_literal(each) and looks_generated(each.value):
            yield each


def _is_static_literal(credential: FoundCredential) -> bool:
    """Return whether a value is literal, not computed when the step runs."""
    return credential.cls is CredentialClass.LITERAL and not set(
        credential.value
    ) & set("$`")


def find_embedded_json(text: str, member: str) -> RawValue | None:
    """Parse the JSON object with a member in a text, None if none is valid."""
    at = text[:_TEXT_LIMIT].find(f'"{member}"')
    braces = (n for n, char in enumerate(text[: max(at, 0)]) if char == "{")
    for start in islice(braces, _MAX_TRIES):
        try:
            raw = parse_jsonc(text[start : _find_closing_brace(text, start)])
        except ParseError:
            continue
        if isinstance(raw, dict) and member in raw:
            return raw
    return None


def _find_closing_brace(text: str, start: int) -> int:
    """Return the index after the closing brace; braces in strings are ignored."""
    depth, inside, at = 0, False, start
    while at < min(len(text), _TEXT_LIMIT):
        char = text[at]
        if inside:
            at += char == "\\"
            inside = char != '"'
        elif char == '"':
            inside = True
        else:
            depth += (char == "{") - (char == "}")
            if depth == 0:
                return at + 1
        at += 1
    return len(text)
