"""Paths in a home that clients read, in the layout of any operating system."""

from answerable.connectors.formats.agent_clients import HOME_FILES, fits_end, fits_name
from answerable.connectors.formats.os_paths import every_layout

_Pattern = tuple[str, ...]


def is_home_file(path: str) -> bool:
    """Tell whether a client reads this path in a home."""
    name = path.rpartition("/")[2]
    patterns = list(_BY_NAME.get(name, ()))
    for wild, those in _BY_WILD_NAME.items():
        if fits_name(name, wild):
            patterns += those
    parts = path.split("/") if patterns else []
    return any(_fits_whole(parts, list(pattern)) for pattern in patterns)


def _fits_whole(parts: list[str], pattern: list[str]) -> bool:
    if "**" not in pattern:
        return len(parts) == len(pattern) and fits_end(parts, pattern)
    head = pattern[: pattern.index("**")]
    return all(map(fits_name, parts[: len(head)], head)) and fits_end(parts, pattern)


def _index() -> tuple[dict[str, list[_Pattern]], dict[str, list[_Pattern]]]:
    """Index the patterns by their last path part, for fast lookups."""
    plain: dict[str, list[_Pattern]] = {}
    wild: dict[str, list[_Pattern]] = {}
    for entry in HOME_FILES:
        for spelled in every_layout(entry.path):
            pattern = tuple(spelled.split("/"))
            index = wild if "*" in pattern[-1] else plain
            index.setdefault(pattern[-1], []).append(pattern)
    return plain, wild


_BY_NAME, _BY_WILD_NAME = _index()
