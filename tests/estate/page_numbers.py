"""Numbers in the tables of a page, and those that became zero without a source."""

import re

_ROWS = re.compile(r"<tr\b[^>]*>(.*?)</tr>", re.DOTALL)
_HEADED = re.compile(r"<(th|td)\b([^>]*)>(.*?)</(?:th|td)>", re.DOTALL)
_COLUMN_NAME = re.compile(r'data-th="([^"]*)"')
_TAGS = re.compile(r"<[^>]*>")


def numbers(page: str) -> dict[tuple[str, str], str]:
    """Give the cells of a page's tables by the first cell of the row and the column."""
    found = {}
    for row in _ROWS.findall(page):
        cells = [
            (_COLUMN_NAME.search(attributes), " ".join(_TAGS.sub("", text).split()))
            for _, attributes, text in _HEADED.findall(row)
        ]
        first = next((text for _, text in cells if text), "")
        for at, (name, text) in enumerate(cells):
            found[first, name[1] if name else str(at)] = text
    return found


def zeros(before: str, after: str) -> set[tuple[str, str]]:
    """List the cells that were a number above zero, and became zero."""
    full, less = numbers(before), numbers(after)
    return {
        cell
        for cell, text in less.items()
        if text == "0"
        and full.get(cell, "0").replace(",", "").isdecimal()
        and full.get(cell, "0") != "0"
    }
