"""Read users from a CSV table: exports of directories and of HR systems."""

import csv
import io
import re
from collections.abc import Iterator, Mapping

from answerable.connectors.people.parse.directory_entry import (
    DirectoryEntry,
    UnreadEntry,
)
from answerable.model.errors import ParseError, UsageError

# Spellings of each column, without case, blanks, punctuation and bracketed remarks.
_ADDRESSES = (
    "email",
    "emailaddress",
    "mail",
    "primaryemail",
    "workemail",
    "profileemail",
    "userprincipalname",
    "upn",
    "login",
    "profilelogin",
    "username",
)
_ALIASES = ("aliases", "proxyaddresses")
_NAMES = ("displayname", "name", "fullname", "namefullname")
_NAME_PARTS = (("firstname", "lastname"), ("givenname", "surname"))
_MANAGERS = ("manageremail", "manager", "managerid", "managerupn")
_SPONSORS = ("sponsors", "sponsor", "sponsoremail")
_PRESENT = ("active", "accountenabled", "enabled", "status")
_ENDED = ("suspended", "archived", "deleted", "left")
_YES = frozenset(
    [
        "true",
        "yes",
        "1",
        "active",
        "enabled",
        "activated",
        "present",
        "staged",
        "provisioned",
        "recovery",
        "password_expired",
        "locked_out",
    ]
)
_NO = frozenset(
    [
        "false",
        "no",
        "0",
        "inactive",
        "disabled",
        "deactivated",
        "deprovisioned",
        "suspended",
        "archived",
        "deleted",
        "terminated",
        "left",
    ]
)
_REMARK = re.compile(r"[\W_]*\[[^\]]*\]|[\W_]+")
_NO_TABLE = "neither JSON nor a CSV table in UTF-8"
_SEPARATORS = re.compile(r"[;,|\s]+")


def iterate_csv_entries(
    data: bytes, place: str
) -> Iterator[DirectoryEntry | UnreadEntry]:
    """Yield the user of each line after the header.

    Args:
        data: UTF-8, or UTF-16 with its mark; comma, semicolon or tab.
        place: Path of the file, for messages.

    Raises:
        ParseError: The bytes are no text.
        UsageError: No column of the header holds an address or a login.
    """
    text = _decode_table(data, place)
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    # Strict: a quote that is not closed is a table that was cut.
    lines = io.StringIO(text, newline="")
    rows = csv.DictReader(lines, delimiter=delimiter, strict=True)
    try:
        columns = [_REMARK.sub("", name).lower() for name in rows.fieldnames or ()]
    except csv.Error:
        columns = []
    if not set(columns) & set(_ADDRESSES):
        raise UsageError(
            f"{place}: no column contains an address (expected one of "
            f"{', '.join(_ADDRESSES)})",
            "the first line must name the columns",
        )
    rows.fieldnames = columns
    last_line = 0 if text.endswith(("\n", "\r")) else len(text.splitlines())
    yield from _read_rows(rows, place, last_line)


def _decode_table(data: bytes, place: str) -> str:
    """Decode the bytes of a table."""
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(_NO_TABLE, place, error.start) from None
    if "\0" in text:
        raise ParseError(_NO_TABLE, place, text.index("\0"))
    return text


def _read_rows(
    rows: "csv.DictReader[str]", place: str, last_line: int
) -> Iterator[DirectoryEntry | UnreadEntry]:
    """Read each row; a row that the format does not allow ends the table.

    Args:
        last_line: Number of a line without a line end, which may be cut; 0 for none.
    """
    while True:
        at = f"{place}:{rows.line_num + 1}"
        try:
            row = next(rows, None)
        except csv.Error:
            yield UnreadEntry(at, "the rest of the table is not valid CSV")
            return
        if row is None:
            return
        if None in row.values() and rows.line_num == last_line:
            yield UnreadEntry(
                at, "the last row is cut: it has fewer cells than the header"
            )
            return
        yield _read_row(row, at)


def _read_row(
    row: Mapping[str | None, object], place: str
) -> DirectoryEntry | UnreadEntry:
    """Read the user of one row."""
    if None in row:
        return UnreadEntry(place, "the row has more cells than the header")
    cells = {
        str(name): value.strip() if isinstance(value, str) else ""
        for name, value in row.items()
    }
    addresses = _split_cells(cells, _ADDRESSES)
    aliases = _split_cells(cells, _ALIASES)
    name = next((cells[each] for each in _NAMES if cells.get(each)), "")
    parts = (
        " ".join(cells.get(each, "") for each in pair).strip() for pair in _NAME_PARTS
    )
    return DirectoryEntry(
        place=place,
        id=cells.get("id", ""),
        addresses=tuple(
            dict.fromkeys(
                each.partition(":")[2] if each.lower().startswith("smtp:") else each
                for each in (*addresses, *aliases)
            )
        ),
        name=name or next((each for each in parts if each), ""),
        present=_read_presence(cells),
        managers=_split_cells(cells, _MANAGERS)[:1],
        sponsors=_split_cells(cells, _SPONSORS),
    )


def _split_cells(cells: Mapping[str, str], columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words in the cells of some columns, each once."""
    found = (
        word
        for name in columns
        for word in _SEPARATORS.split(cells.get(name, ""))
        if word
    )
    return tuple(dict.fromkeys(found))


def _read_presence(cells: Mapping[str, str]) -> bool | None:
    """Return whether the user is present; None without a known word."""
    found: list[bool] = []
    for names, present in ((_PRESENT, True), (_ENDED, False)):
        for name in names:
            word = cells.get(name, "").lower()
            if word and word not in _YES | _NO:
                return None
            if word:
                found.append((word in _YES) is present)
    return all(found) if found else None
