"""Cards of narrow screens: names each cell of a table after the head of its column.

A style sheet cannot read the head of a column. A table whose columns leave a narrow
screen by importance therefore gets the class `cards`, and each cell its column's name;
below 780 px every row is then a card with all of its cells.
"""

import re

_TABLE = re.compile(r"<table\b([^>]*)>(.*?)</table>", re.DOTALL)
_HEAD = re.compile(r"<thead\b[^>]*>(.*?)</thead>", re.DOTALL)
_COLUMN = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_TAG = re.compile(r"<small\b.*?</small>|<span aria-hidden.*?</span>|<[^>]*>", re.DOTALL)
# A start tag of a row or a cell; a value never contains an unescaped `>`.
_CELL = re.compile(r"<(tr|td|th)\b([^>]*)>")
_LEAVES = re.compile(r'class="[^"]*\bp[2-6]\b')
_SPAN = re.compile(r'colspan="(\d+)"')


def name_cells(page: str) -> str:
    """Name the cells of each table of a page that has columns which leave."""
    return _TABLE.sub(_name_cells_of_table, page)


def _name_cells_of_table(table: "re.Match[str]") -> str:
    attributes, content = table.groups()
    head = _HEAD.search(content)
    if head is None or not _LEAVES.search(head[1]) or 'class="rows"' in attributes:
        return table[0]
    names = [" ".join(_TAG.sub("", each).split()) for each in _COLUMN.findall(head[1])]
    at = 0

    def name_cell(cell: "re.Match[str]") -> str:
        nonlocal at
        kind, attributes = cell.groups()
        if kind == "tr":
            at = 0
            return cell[0]
        name = names[at] if at < len(names) else ""
        span = _SPAN.search(attributes)
        at += int(span[1]) if span else 1
        if kind == "th" or not name:
            return cell[0]
        quoted = name.replace('"', "&quot;")
        return f'<td{attributes} data-th="{quoted}">'

    body = _CELL.sub(name_cell, content[head.end() :])
    if "class=" in attributes:
        attributes = attributes.replace('class="', 'class="cards ', 1)
    else:
        attributes += ' class="cards"'
    return f"<table{attributes}>{content[: head.end()]}{body}</table>"
