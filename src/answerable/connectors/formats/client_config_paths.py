"""Match the paths of configuration files that AI clients read in a home directory.

Layouts of Linux, macOS and Windows.
"""

from answerable.connectors.formats.agent_clients import (
    HOME_FILES,
    matches_path_end,
    matches_wildcard_name,
)
from answerable.connectors.formats.os_paths import paths_on_all_systems

_PathPattern = tuple[str, ...]


def is_client_config_path(path: str) -> bool:
    """Return whether a path relative to a home is a client's configuration file."""
    name = path.rpartition("/")[2]
    patterns = list(_BY_NAME.get(name, ()))
    for wild, those in _BY_WILD_NAME.items():
        if matches_wildcard_name(name, wild):
            patterns += those
    parts = path.split("/") if patterns else []
    return any(_matches_whole_path(parts, list(pattern)) for pattern in patterns)


def _matches_whole_path(parts: list[str], pattern: list[str]) -> bool:
    """Return whether a pattern matches a path from its first part."""
    if "**" not in pattern:
        return len(parts) == len(pattern) and matches_path_end(parts, pattern)
    head = pattern[: pattern.index("**")]
    return all(
        map(matches_wildcard_name, parts[: len(head)], head)
    ) and matches_path_end(parts, pattern)


def _index_patterns_by_name() -> tuple[
    dict[str, list[_PathPattern]], dict[str, list[_PathPattern]]
]:
    """Index the patterns by their last path part, for fast lookups."""
    plain: dict[str, list[_PathPattern]] = {}
    wild: dict[str, list[_PathPattern]] = {}
    for entry in HOME_FILES:
        for spelled in paths_on_all_systems(entry.path):
            pattern = tuple(spelled.split("/"))
            index = wild if "*" in pattern[-1] else plain
            index.setdefault(pattern[-1], []).append(pattern)
    return plain, wild


_BY_NAME, _BY_WILD_NAME = _index_patterns_by_name()
