"""Detect repeated keys in JSON objects: two parsers could see different values."""

from answerable.model.json_members import reject_duplicate_names


def has_repeated_keys(raw: bytes) -> bool:
    """Return whether any object has repeated keys, or the JSON is invalid."""
    try:
        reject_duplicate_names(raw)
    except (ValueError, RecursionError):
        return True
    return False
