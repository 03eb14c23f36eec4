"""Parse the sources of `scan` (`NAME[:LOCATION]`) into absolute paths."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors import registry
from answerable.model.connector import ConnectorDeclaration
from answerable.model.errors import UsageError

DEFAULT_SOURCES = ("home:~", "repo:.")


@dataclass(frozen=True, slots=True)
class ScanSource:
    """Parsed source.

    Attributes:
        location: Absolute path; live: empty, or what the connector's `live_prefix`
            begins.
    """

    name: str
    location: str

    def __str__(self) -> str:
        return f"{self.name}:{self.location}"


# Default folder of a source that needs one.
_DEFAULT_LOCATIONS = {"home": "~", "repo": "."}


def parse_sources(
    texts: Sequence[str], *, home: Path, cwd: Path, capability: str = registry.INVENTORY
) -> tuple[ScanSource, ...]:
    """Parse the sources of a scan; the default is `home:~ repo:.`.

    Args:
        texts: `NAME` or `NAME:LOCATION`.
        home: Directory for `~`.
        cwd: Directory for relative locations.
        capability: `inventory` or `events`.

    Returns:
        Each source once, in the order given.

    Raises:
        UsageError: A name is unknown, or its source supplies something else.
    """
    found: dict[ScanSource, None] = {}
    for text in texts or DEFAULT_SOURCES:
        name, _, location = text.partition(":")
        if capability == registry.INVENTORY:
            registry.load_inventory_connector(name)
        else:
            registry.load_event_connector(name)
        location = location or _DEFAULT_LOCATIONS.get(name, "")
        spec = registry.find_connector(name).spec
        if spec.location_options or spec.live_name:
            location = _resolve_path_list(location, spec, home, cwd)
        elif not (spec.live_prefix and location.startswith(spec.live_prefix)):
            location = _resolve_source_path(location, home, cwd)
        found[ScanSource(name, location)] = None
    return tuple(found)


def find_source_capability(text: str) -> str:
    """Return what a source supplies: `inventory`, `events`; empty if it is unknown."""
    try:
        return registry.find_connector(text.partition(":")[0]).spec.gives
    except UsageError:
        return ""


def _resolve_path_list(
    location: str, spec: ConnectorDeclaration, home: Path, cwd: Path
) -> str:
    """Resolve the paths of a location; options and the name of a system stay."""
    parts = []
    for part in location.split(","):
        option = part.partition("=")[0] in spec.location_options and "=" in part
        path = _resolve_source_path(part, home, cwd)
        names_system = (
            spec.live_name
            and re.fullmatch(spec.live_name, part)
            and not os.path.lexists(path)
        )
        parts.append(part if option or names_system else path)
    return ",".join(parts)


def _resolve_source_path(location: str, home: Path, cwd: Path) -> str:
    """Resolve `~`, `.` and `..` to an absolute path without following links."""
    if not location or location == "-":
        return location
    if location == "~" or location.startswith("~/"):
        location = str(home) + location[1:]
    # Links stay: a source keeps its name when a link moves.
    parts = Path(cwd, location).parts
    kept: list[str] = []
    for part in parts:
        if part == ".." and len(kept) > 1:
            kept.pop()
        elif part != "..":
            kept.append(part)
    return str(Path(*kept))
