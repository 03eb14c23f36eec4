"""Parse JSONC: JSON with comments and trailing commas.

One linear pass blanks comments and trailing commas (so offsets do not change), counts
depth, and passes strict JSON to the standard library. There is no JSONC standard;
this is what Visual Studio Code's own parser accepts.
"""

import json
from dataclasses import dataclass, field

from answerable.connectors.formats.document_node import (
    DEPTH_LIMIT,
    RawValue,
    build_object,
    check_tree_size,
)
from answerable.model.errors import ParseError

_DIGITS_LIMIT = 400


def parse_jsonc(text: str) -> RawValue:
    """Parse JSON or JSONC.

    Args:
        text: The document without a byte order mark.

    Returns:
        The value; an object with repeated keys is a `ObjectWithDuplicates` with the last values.

    Raises:
        ParseError: With the character offset and no value.
    """
    strict = blank_comments(text)
    offset = -1
    try:
        raw: RawValue = json.loads(
            strict,
            object_pairs_hook=build_object,
            parse_constant=_refuse_constant,
            parse_int=_parse_number,
            parse_float=_parse_number,
        )
    except json.JSONDecodeError as error:
        # Raised again outside this block: a JSONDecodeError carries the document.
        reason, offset = error.msg, error.pos
    except _NonJsonConstantError:
        reason = "NaN and Infinity are not JSON"
    else:
        check_tree_size(raw)
        return raw
    raise ParseError(f"not JSON: {reason}", offset=offset)


def blank_comments(text: str) -> str:
    """Replace comments and trailing commas by spaces; every offset stays.

    Raises:
        ParseError: A string or comment is not closed, or it is nested too deep.
    """
    return _CommentStripper(text).strip()


class _NonJsonConstantError(ValueError):
    """Constant that JSON does not allow."""


def _refuse_constant(name: str) -> float:
    """Refuse `NaN` and `Infinity`, which JSON does not have."""
    raise _NonJsonConstantError(name)


def _parse_number(digits: str) -> int | float | str:
    """Parse a number; one with too many digits stays text."""
    if len(digits) > _DIGITS_LIMIT:
        return digits
    return int(digits) if digits.lstrip("-").isdigit() else float(digits)


@dataclass(slots=True)
class _CommentStripper:
    """Stripper that blanks comments and trailing commas, keeping all offsets."""

    text: str
    blanks: list[tuple[int, int]] = field(default_factory=list)
    at: int = 0
    depth: int = 0
    comma: int = -1  # a comma after a value, with nothing but blanks behind it yet
    value: bool = False  # the last token ends a value
    escape: int = -2  # the next backslash at or after `at`; -2 when not looked up

    def strip(self) -> str:
        """Return strict JSON of the same length."""
        text, end = self.text, len(self.text)
        while self.at < end:
            char = text[self.at]
            if char == '"':
                self._skip_string()
            elif char == "/":
                self._blank_comment()
            elif char in ",[]{}":
                self._track_punctuation(char)
            else:
                if char not in " \t\r\n":
                    self.value, self.comma = char != ":", -1
                self.at += 1
        parts: list[str] = []
        copied = 0
        for start, stop in sorted(self.blanks):
            parts += (text[copied:start], " " * (stop - start))
            copied = stop
        return "".join((*parts, text[copied:]))

    def _skip_string(self) -> None:
        """Move past a JSON string, in which `//` is no comment."""
        start, self.at = self.at, self.at + 1
        while True:
            quote = self.text.find('"', self.at)
            if quote < 0:
                raise ParseError("not JSON: unterminated string", offset=start)
            escape = self._find_next_escape()
            if escape < 0 or escape > quote:
                self.at = quote + 1
                self.value, self.comma = True, -1
                return
            self.at = escape + 2

    def _find_next_escape(self) -> int:
        """Return the index of the next backslash in the text, or -1."""
        # Looked up again only when passed, or many short strings cost a scan each.
        if self.escape == -2 or -1 < self.escape < self.at:
            self.escape = self.text.find("\\", self.at)
        return self.escape

    def _blank_comment(self) -> None:
        """Mark a comment to be replaced by spaces."""
        mark = self.text[self.at : self.at + 2]
        if mark == "//":
            stop = self.text.find("\n", self.at)
            stop = len(self.text) if stop < 0 else stop
        elif mark == "/*":
            stop = self.text.find("*/", self.at + 2)
            if stop < 0:
                raise ParseError("not JSON: unterminated comment", offset=self.at)
            stop += 2
        else:
            raise ParseError("not JSON: a lone '/'", offset=self.at)
        self.blanks.append((self.at, stop))
        self.at = stop

    def _track_punctuation(self, char: str) -> None:
        """Track depth, and mark a trailing comma to be replaced."""
        if char == ",":
            self.comma = self.at if self.value else -1
            self.value = False
        elif char in "[{":
            self.depth += 1
            self.value, self.comma = False, -1
            if self.depth > DEPTH_LIMIT:
                raise ParseError(
                    f"the document has more than {DEPTH_LIMIT} levels of nesting",
                    offset=self.at,
                )
        else:
            self.depth -= 1
            if self.comma >= 0:
                self.blanks.append((self.comma, self.comma + 1))
            self.value, self.comma = True, -1
        self.at += 1
