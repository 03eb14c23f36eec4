"""Detect repeated keys in JSON objects: two parsers could see different values."""

import json


class _RepeatedKeyError(ValueError):
    """Repeated key in one object."""


def _refuse_repeated_keys(pairs: list[tuple[str, object]]) -> None:
    """Raise if an object has repeated keys."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise _RepeatedKeyError


def has_repeated_keys(raw: bytes) -> bool:
    """Return whether any object has repeated keys, or the JSON is invalid."""
    try:
        json.loads(raw, object_pairs_hook=_refuse_repeated_keys)
    except _RepeatedKeyError:
        return True
    except (ValueError, RecursionError):
        return True
    return False
