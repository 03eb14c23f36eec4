"""Sanitize, quote, measure and shorten untrusted text for a terminal.

Names come from untrusted files and logs, so text is shown only after `sanitize`: an escape
sequence in the name of a role must not move the cursor, and a right-to-left mark must
not reverse a line.
"""

import unicodedata

# Control, format (bidi, zero-width), surrogate, private use, unassigned, separators.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_COMBINING = {"Mn", "Me"}
_MOST_COMBINING = 2
# Characters kept inside quotation marks, and those that would end them.
_PLAIN = {"Lu", "Ll", "Lt", "Lo", "Nd"}
_QUOTING = {'"', "\\"}
# A shorter ARN shows only its end.
_MIN_ARN_ROOM = 20


def sanitize(text: str) -> str:
    """Escape every character that could affect a terminal."""
    if text.isascii() and text.isprintable():
        return text
    shown = []
    stacked = 0
    for letter in text:
        kind = unicodedata.category(letter)
        if kind in _COMBINING:
            stacked += 1
            shown.append(
                letter if stacked <= _MOST_COMBINING else _escape_character(letter)
            )
            continue
        stacked = 0
        if kind == "Zs":
            shown.append(" ")
        else:
            shown.append(_escape_character(letter) if kind in _UNSAFE else letter)
    return "".join(shown)


def quote(text: str) -> str:
    """Quote untrusted text so that its content cannot end or imitate the quotes.

    Beyond ASCII only letters and digits are kept, as some symbols look like marks.
    """
    shown = ['"']
    for letter in text:
        if letter in _QUOTING:
            shown.append("\\" + letter)
        elif letter.isascii() or unicodedata.category(letter) in _PLAIN:
            shown.append(sanitize(letter))
        else:
            shown.append(_escape_character(letter))
    return "".join((*shown, '"'))


def _escape_character(letter: str) -> str:
    """Return the backslash escape of a character."""
    code = ord(letter)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cell_width(text: str) -> int:
    """Return the number of terminal cells of sanitized text."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(letter: str) -> int:
    """Return the terminal cells of a character: 0 if combining, 2 if wide, else 1."""
    if unicodedata.category(letter) in _COMBINING:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def clip(text: str, cells: int) -> str:
    """Return the longest prefix of a text that fits into a number of cells."""
    if cell_width(text) <= cells:
        return text
    taken = []
    for letter in text:
        cells -= _character_width(letter)
        if cells < 0:
            break
        taken.append(letter)
    return "".join(taken)


def _clip_start(text: str, cells: int) -> str:
    """Return the longest suffix of a text that fits into a number of cells."""
    return clip(text[::-1], cells)[::-1]


def pad(text: str, cells: int, align_right: bool = False) -> str:
    """Pad a text with spaces to a width in cells."""
    gap = " " * max(0, cells - cell_width(text))
    return gap + text if align_right else text + gap


def shorten(text: str, cells: int, ellipsis: str) -> str:
    """Cut the middle out of a text that is too wide; an ARN keeps its last part.

    Args:
        cells: Most cells.
        ellipsis: Mark in place of the removed part.
    """
    if cell_width(text) <= cells:
        return text
    left = cells - cell_width(ellipsis)
    if left < 4:
        return clip(text, cells)
    # In a table a mark may precede the name.
    mark, space, name = text.partition(" ")
    if space and len(mark) == 1 and name.startswith("arn:"):
        return mark + space + shorten(name, cells - 2, ellipsis)
    parts = text.split(":", 5)
    if len(parts) == 6 and parts[0] == "arn":
        return _shorten_arn(text, parts[5], left, ellipsis)
    head = (left + 1) // 2
    return clip(text, head) + ellipsis + _clip_start(text, left - head)


def split_for_shortening(text: str, cells: int) -> tuple[str, str, str, str]:
    """Split a text at the places where `shorten` cuts it.

    Returns:
        The omitted prefix, the head, the omitted middle, the tail; joined they are the
        text.
    """
    cut = "\0"
    head, _, tail = shorten(text, cells, cut).partition(cut)
    at = text.find(head) if tail else 0
    if not tail or at < 0:
        return ("", text, "", "")
    behind = len(text) - len(tail)
    return text[:at], head, text[at + len(head) : behind], tail


def shorten_end(text: str, cells: int, ellipsis: str) -> str:
    """Cut the end off a text that is too wide."""
    if cell_width(text) <= cells:
        return text
    return clip(text, max(0, cells - cell_width(ellipsis))) + clip(ellipsis, cells)


def _shorten_arn(text: str, resource: str, cells: int, ellipsis: str) -> str:
    """Shorten an ARN: keep its resource whole, or else start and last segment."""
    if cell_width(resource) <= cells:
        return clip(text, cells - cell_width(resource)) + ellipsis + resource
    if cells < _MIN_ARN_ROOM:
        return ellipsis + _clip_start(resource, cells)
    tail = resource.rpartition("/")[2]
    tail = _clip_start(tail, cells * 2 // 3)
    front = text if cells > 48 else resource
    return clip(front, cells - cell_width(tail)) + ellipsis + tail


def wrap_text(text: str, cells: int, indent: str = "") -> list[str]:
    """Wrap sanitized text at spaces; later lines are indented.

    A word that is wider than a line is broken at the line end.
    """
    if cell_width(text) <= cells or cells <= cell_width(indent) + 1:
        return [text]
    lines: list[str] = []
    line = ""
    for word in _split_words(text):
        candidate = line + word
        if cell_width(candidate.rstrip()) <= cells:
            line = candidate
            continue
        # A word wider than a line starts at the current position.
        if line.strip() and cell_width(indent + word.lstrip()) <= cells:
            lines.append(line.rstrip())
            line = indent + word.lstrip()
        else:
            line = candidate
        while cell_width(line.rstrip()) > cells:
            head = clip(line, cells)
            lines.append(head)
            line = indent + line[len(head) :]
    if line.strip():
        lines.append(line.rstrip())
    return lines


def _split_words(text: str) -> list[str]:
    """Split before each run of spaces, which stays with the following word."""
    words: list[str] = []
    for piece in text.split(" "):
        if words and words[-1].strip() == "":
            words[-1] += " " + piece
        else:
            words.append(piece if not words else " " + piece)
    return words
