"""Colour status marks in terminal lines; the words next to them say the same."""

_RESET = "\x1b[0m"
_GREEN, _YELLOW, _RED, _DIM = (f"\x1b[{code}m" for code in (32, 33, 31, 2))

_COLOURS = {
    "✔": _GREEN,
    "✘": _RED,
    "●": _RED,
    "◑": _YELLOW,
    "∅": _YELLOW,
}


def colour_line(line: str) -> str:
    """Colour the marks of a line, and dim the coverage line."""
    if line.startswith("coverage:"):
        return f"{_DIM}{line}{_RESET}"
    for mark, colour in _COLOURS.items():
        line = line.replace(mark, f"{colour}{mark}{_RESET}")
    return line
