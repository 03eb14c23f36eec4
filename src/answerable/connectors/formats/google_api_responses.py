"""Read the responses of gcloud and Cloud Asset Inventory: documents, fields and roles.

A file has one JSON value, several, or one a line. Lists and the pages of REST answers
(`{"roles": [...]}`) are split into their items.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from answerable.connectors.formats.document_node import RawValue
from answerable.model.errors import ParseError
from answerable.model.google_cloud_ids import normalise_permission
from answerable.reach.gcp.catalogue import GoogleRole

RawObject = dict[str, RawValue]
_PAGES = frozenset(
    str.split(
        "accounts agents assets bindings_search denyPolicies keys memberships policies "
        "policyBindings principalAccessBoundaryPolicies results roles tagBindings "
        "workloadIdentityPoolProviders workloadIdentityPools"
    )
)
_WHITE = " \t\r\n"
_MAX_LEVELS = 4


@dataclass(frozen=True, slots=True)
class GoogleAnswer:
    """Object of a file.

    Attributes:
        fault: Reason why it is no object; empty for one.
    """

    raw: RawObject
    place: str
    fault: str = ""


def iterate_answers(data: bytes, place: str) -> Iterator[GoogleAnswer]:
    """Yield the objects of a file.

    Raises:
        ParseError: The rest of the file is not JSON.
    """
    try:
        value: RawValue = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        yield from _iterate_values(data, place)
        return
    yield from _yield_objects(value, place)


def _iterate_values(data: bytes, place: str) -> Iterator[GoogleAnswer]:
    """Yield the objects of a file with a value a line, or several values."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"not UTF-8 (offset {error.start})", place) from None
    if not text.strip():  # a command that fails leaves an empty file; none is `[]`
        raise ParseError("an empty file (expected JSON, `[]` for an empty list)", place)
    lines = text.splitlines()
    if len(lines) > 1 and lines[0].rstrip().endswith("}"):
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield from _read_line(line, f"{place}:{number}")
        return
    scanner, at, number = json.JSONDecoder(), 0, 0
    while (at := _skip_white_space(text, at)) < len(text):
        try:
            value, at = scanner.raw_decode(text, at)
        except (RecursionError, ValueError):
            raise ParseError(f"not JSON (offset {at})", place) from None
        yield from _yield_objects(value, f"{place}#{number}" if number else place)
        number += 1


def _read_line(line: str, place: str) -> Iterator[GoogleAnswer]:
    """Yield the objects of one line, or a fault."""
    try:
        yield from _yield_objects(msgspec.json.decode(line), place)
    except (msgspec.DecodeError, RecursionError):
        yield GoogleAnswer({}, place, "not JSON")


def _skip_white_space(text: str, at: int) -> int:
    """Return the offset after white space."""
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


def _yield_objects(
    value: RawValue, place: str, level: int = 0
) -> Iterator[GoogleAnswer]:
    """Yield the objects of a value: itself, its items, or those of a page."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            if level < _MAX_LEVELS:
                yield from _yield_objects(each, f"{place}#/{number}", level + 1)
        return
    if not isinstance(value, dict):
        yield GoogleAnswer({}, place, "not an object")
        return
    pages = [each for each in value if each in _PAGES and isinstance(value[each], list)]
    others = value.keys() - pages - {"nextPageToken", "readTime", "kind"}
    if pages and not others:
        for each in pages:
            yield from _yield_objects(value[each], f"{place}#/{each}", level + 1)
        return
    yield GoogleAnswer(value, place)


def get_text(raw: RawValue, *names: str) -> str:
    """Return the first text of some fields, in snake or camel case; empty for none."""
    if isinstance(raw, dict):
        for name in names:
            for spelled in (name, to_snake_case(name)):
                found = raw.get(spelled)
                if isinstance(found, str):
                    return found
                if isinstance(found, int) and not isinstance(found, bool):
                    return str(found)
    return ""


def to_snake_case(name: str) -> str:
    """Return `asset_type` for `assetType`."""
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def get_value(raw: RawValue, *path: str) -> RawValue:
    """Return the value at a path of fields, in snake or camel case; None for none."""
    for name in path:
        if not isinstance(raw, dict):
            return None
        raw = raw[name] if name in raw else raw.get(to_snake_case(name))
    return raw


def list_objects(raw: RawValue, *path: str) -> list[RawObject]:
    """List the objects at a path of fields."""
    found = get_value(raw, *path)
    items = found if isinstance(found, list) else ()
    return [each for each in items if isinstance(each, dict)]


def list_texts(raw: RawValue, *path: str) -> tuple[str, ...]:
    """List the texts at a path of fields."""
    found = get_value(raw, *path)
    items = found if isinstance(found, list) else ()
    return tuple(each for each in items if isinstance(each, str))


def read_role(raw: RawObject) -> GoogleRole | None:
    """Read a role with its permissions; None for a role without a list of them.

    `gcloud iam roles list` names no permissions, `roles describe` does.
    """
    name = get_text(raw, "name")
    name = name.removeprefix("//iam.googleapis.com/")
    disabled = raw.get("deleted") is True or get_text(raw, "stage") == "DISABLED"
    listed = raw.get("includedPermissions", [] if disabled else None)
    if not is_role_name(name) or not isinstance(listed, list):
        return None
    found = list_texts(raw, "includedPermissions")
    return GoogleRole(name, tuple(map(normalise_permission, found)), disabled)


def is_role_name(name: str) -> bool:
    """Return whether a text is the name of a predefined or custom role."""
    parts = name.split("/")
    if len(parts) == 2:
        return parts[0] == "roles"
    return (
        len(parts) == 4
        and parts[0] in ("projects", "organizations")
        and parts[2] == "roles"
    )
