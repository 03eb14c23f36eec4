"""Decode the bytes of a saved response: one page, pages in a row, or slurped pages."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    describe_decode_error,
)
from answerable.model.errors import ParseError

Fields = dict[str, msgspec.Raw]
# Default and largest number of entries of a page.
_PAGE_SIZES = (30, 100)
_PAGE_HEAD = re.compile(rb'\{\s*"(?:total_count|data)"\s*:.*', re.DOTALL)


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """Answer of one endpoint, from all of its pages.

    Attributes:
        items: Entries of a list; empty for a single object.
        fields: Fields of a single object, or of the first page.
        is_list: Whether the endpoint gives a list.
        missing: What is missing, in words; empty for a complete answer.
    """

    place: str
    items: tuple[msgspec.Raw, ...]
    fields: Fields
    is_list: bool
    missing: str = ""


def decode_saved_answer(data: bytes, place: str) -> SavedAnswer:
    """Decode the file of an answer.

    Raises:
        ParseError: It is not JSON, is cut off, or has a repeated member.
    """
    pages = [_decode_page(each, place) for each in _split_documents(data, place)]
    slurped = _find_slurped_pages(pages)
    if slurped:
        pages = [_decode_page(bytes(each), place) for each in slurped]
    lists = [page for page in pages if isinstance(page, list)]
    if len(lists) == len(pages):
        items = tuple(item for page in lists for item in page)
        cut = not slurped and len(pages) == 1 and len(items) in _PAGE_SIZES
        missing = f"{len(items)} entries are a whole page" if cut else ""
        return SavedAnswer(place, items, {}, is_list=True, missing=missing)
    objects = [page for page in pages if isinstance(page, dict)]
    if len(objects) != len(pages):
        raise ParseError("the file contains both lists and objects", place)
    return _join_object_pages(objects, place)


def _join_object_pages(pages: list[Fields], place: str) -> SavedAnswer:
    """Join pages that wrap their entries in an object."""
    items: list[msgspec.Raw] = []
    is_list = False
    if all("data" in page for page in pages):
        return _join_graph_pages(pages, place)
    for page in pages:
        name = _find_list_member(page)
        is_list = is_list or bool(name)
        items += _decode_list(page[name], place) if name else ()
    if len(pages) > 1 and not is_list:
        raise ParseError(
            "the file contains several objects (expected one API response)", place
        )
    first = pages[0] if pages else {}
    total = _decode_count(first) if is_list else 0
    missing = f"{len(items)} of {total} entries" if len(items) < total else ""
    return SavedAnswer(place, tuple(items), first, is_list=is_list, missing=missing)


def _join_graph_pages(pages: list[Fields], place: str) -> SavedAnswer:
    """Join pages of a GraphQL query for one list."""
    items: list[msgspec.Raw] = []
    missing = ""
    for page in pages:
        found = _find_nodes(msgspec.json.decode(page["data"]))
        if found is None or "errors" in page:
            raise ParseError("the GraphQL response lacks the list", place)
        items += (msgspec.Raw(msgspec.json.encode(each)) for each in found["nodes"])
        info = found.get("pageInfo")
        more = isinstance(info, dict) and info.get("hasNextPage") is True
        missing = f"another page follows these {len(items)} entries" if more else ""
    return SavedAnswer(place, tuple(items), {}, is_list=True, missing=missing)


def _find_nodes(value: object) -> dict[str, Any] | None:
    """Find the outermost object with the member `nodes`."""
    while isinstance(value, dict):
        if isinstance(value.get("nodes"), list):
            return value
        members = [each for each in value.values() if isinstance(each, dict)]
        value = members[0] if len(members) == 1 else None
    return None


def _find_list_member(page: Fields) -> str:
    """Find the member that holds the entries of a page with a count."""
    if "total_count" not in page:
        return ""
    lists = [name for name, value in page.items() if bytes(value).startswith(b"[")]
    return lists[0] if len(lists) == 1 else ""


def _decode_count(page: Fields) -> int:
    """Return the number of all entries that a page states."""
    try:
        return msgspec.json.decode(page["total_count"], type=int)
    except msgspec.DecodeError:
        return 0


def _decode_list(raw: msgspec.Raw, place: str) -> list[msgspec.Raw]:
    """Decode a list into its entries."""
    page = _decode_page(bytes(raw), place)
    return page if isinstance(page, list) else []


def _find_slurped_pages(pages: list[Fields | list[msgspec.Raw]]) -> list[msgspec.Raw]:
    """Return the pages in a list of pages (`gh api --slurp`); empty for another list."""
    if len(pages) != 1 or not isinstance(pages[0], list):
        return []
    heads = [bytes(each).lstrip() for each in pages[0]]
    if all(head.startswith(b"[") or _PAGE_HEAD.fullmatch(head) for head in heads):
        return pages[0]
    return []


def _decode_page(data: bytes, place: str) -> Fields | list[msgspec.Raw]:
    """Decode the outermost list or object."""
    try:
        return msgspec.json.decode(data, type=Fields | list[msgspec.Raw])
    except DECODE_ERRORS as error:
        why = describe_decode_error(error)
    raise ParseError(f"not a GitHub API response: {why}", place)


def _split_documents(data: bytes, place: str) -> Iterator[bytes]:
    """Split the documents that `gh api --paginate` writes in a row."""
    text = decode_json_text(data, place)
    decoder = json.JSONDecoder(object_pairs_hook=_refuse_repeated_members)
    at = _skip_white_space(text, 0)
    reason, offset = "empty", 0
    while at < len(text):
        try:
            _, end = decoder.raw_decode(text, at)
        except _RepeatedMemberError as error:
            reason, offset = f"the member {str(error)!r} is repeated", at
        except json.JSONDecodeError as error:
            reason, offset = f"not JSON: {error.msg.removesuffix(' at')}", error.pos
        except (RecursionError, ValueError):
            reason, offset = "the JSON cannot be read", at
        else:
            yield text[at:end].encode()
            at = _skip_white_space(text, end)
            reason = ""
            continue
        break
    if reason:
        raise ParseError(reason, place, offset)


def decode_json_text(data: bytes, place: str) -> str:
    """Decode UTF-8 or UTF-16 text.

    Raises:
        ParseError: It is neither.
    """
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start
    raise ParseError("not UTF-8", place, offset)


class _RepeatedMemberError(Exception):
    """Object with two members of one name."""


def _refuse_repeated_members(pairs: list[tuple[str, object]]) -> None:
    """Refuse an object with repeated members; nothing of it is kept in memory."""
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            raise _RepeatedMemberError(name[:60])
        names.add(name)


def _skip_white_space(text: str, start: int) -> int:
    """Return the index after white space."""
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start
