"""Members of JSON objects: one with a duplicate name has no single reading."""

import json
from typing import NoReturn


def build_unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build a JSON object from its members; the `object_pairs_hook` of a decoder.

    Raises:
        ValueError: A member name is repeated.
    """
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a JSON object has a duplicate member name")
    return members


def reject_constant(constant: str) -> NoReturn:
    """Reject NaN and Infinity, which are not JSON; the `parse_constant` of a decoder."""
    raise ValueError(f"{constant} is not JSON")


def reject_duplicate_names(data: bytes) -> None:
    """Reject JSON with a duplicate member name; parsers disagree on its value.

    Raises:
        ValueError: It has one, or it is no JSON.
    """
    json.loads(data, object_pairs_hook=build_unique_members)
