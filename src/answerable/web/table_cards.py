"""Cards of narrow screens: names each cell of a table after the head of its column.

A style sheet cannot read the head of a column. A table whose columns leave a narrow
screen by importance therefore gets the class `cards`, and each cell its column's name;
below 780 px every row is then a card with all of its cells. Cells of the class `events`
have their names in the style sheet, because a page has many of them.
"""

import re

_TABLE = re.compile(r"<table\b([^>]*)>(.*?)</table>", re.DOTALL)
_COLUMN = re.compile(r"<th\b([^>]*)>(.*?)</th>", re.DOTALL)
_TAG = re.compile(r"<small\b.*?</small>|<span aria-hidden.*?</span>|<[^>]*>", re.DOTALL)
# A start tag of a row or a cell; a value never contains an unescaped `>`.
_CELL = re.compile(r"<(tr|td|th)\b([^>]*)>")
# A text with a word of 80 characters or more, and a piece of such a word.
_LONG_TEXT = re.compile(r"(?<=>)[^<>]*?[^\s<>]{80}[^<>]*(?=<)")
_PIECE = re.compile(r"(?:&[#\w]{1,10};|[^\s&]){24}(?=\S)")
_LEAVES = frozenset({"p2", "p3", "p4", "p5", "p6"})
_HEAD_END = "</thead>"


def name_cells(page: str) -> str:
    """Name the cells of each table of a page that has columns which leave.

    Long words get places to wrap: a table is never wider than the page.
    """
    return _TABLE.sub(lambda table: _wrap_words(_name_cells_of_table(table)), page)


def _wrap_words(table: str) -> str:
    """Add a place to wrap after each 24 characters of a long word."""
    return _LONG_TEXT.sub(lambda text: _PIECE.sub(r"\g<0><wbr>", text[0]), table)


def _name_cells_of_table(table: "re.Match[str]") -> str:
    attributes, content = table.groups()
    head, found, body = content.partition(_HEAD_END)
    columns = _COLUMN.findall(head) if found else []
    classes = _get_value(attributes, "class").split()
    leaves = any(
        _LEAVES & set(_get_value(each, "class").split()) for each, _ in columns
    )
    if "events" in classes or not (leaves or "cards" in classes):
        return table[0]
    names = [" ".join(_TAG.sub("", text).split()) for _, text in columns]
    at = 0

    def name_cell(cell: "re.Match[str]") -> str:
        nonlocal at
        kind, attributes = cell.groups()
        if kind == "tr":
            at = 0
            return cell[0]
        name = names[at] if at < len(names) else ""
        at += int(_get_value(attributes, "colspan") or 1)
        if kind == "th" or not name:
            return cell[0]
        quoted = name.replace('"', "&quot;")
        return f'<td{attributes} data-th="{quoted}">'

    named = _CELL.sub(name_cell, body)
    if "cards" in classes:
        pass
    elif "class=" in attributes:
        attributes = attributes.replace('class="', 'class="cards ', 1)
    else:
        attributes += ' class="cards"'
    return f"<table{attributes}>{head}{found}{named}</table>"


def _get_value(attributes: str, name: str) -> str:
    """Return the value of an attribute, empty if it is missing."""
    return attributes.partition(f' {name}="')[2].partition('"')[0]
