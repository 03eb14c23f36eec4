"""Refresh the catalogue of predefined Google Cloud roles.

    python scripts/refresh_gcp_roles.py FOLDER --date 2026-08-22

FOLDER is `gcp/roles` of a checkout of https://github.com/iann0036/iam-dataset (MIT), one
file per role, or a file with all of them: `{ROLE: {"permissions": [...]}}`. A source that
is invalid, or lacks a tenth of the roles of the present catalogue, changes nothing.
"""

import argparse
import json
import lzma
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from answerable.connectors.gcp_roles.fetch import ROLE_FILE, load_predefined_roles
from answerable.connectors.gcp_roles.parse import RoleFile
from answerable.model.google_cloud_ids import normalise_permission
from answerable.reach.gcp.catalogue import GoogleRole

ORIGIN = "https://github.com/iann0036/iam-dataset, gcp/roles"
LICENCE = "MIT, Copyright (c) 2021 Ian Mckay"
LEAST_SHARE = 0.9  # of the roles of the present catalogue


class InvalidSourceError(Exception):
    """Source that is no list of roles."""


def read_roles(source: Path) -> list[GoogleRole]:
    """Read the roles of a folder or a file.

    Raises:
        InvalidSourceError: A file is not readable, or has another form.
    """
    if source.is_file():
        listed = _read_json(source)
        pairs, key = list(listed.items()), "permissions"
    else:
        files = [_read_json(path) for path in sorted(source.glob("*.json"))]
        pairs, key = [(str(e.get("name", "")), e) for e in files], "includedPermissions"
    return _build_roles((name, _get_permissions(name, e, key)) for name, e in pairs)


def _read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSourceError(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise InvalidSourceError(f"{path}: expected a JSON object")
    return found


def _get_permissions(name: str, role: object, key: str) -> list[str]:
    """Return the permissions of a role; none of a role without a list of them."""
    listed = role.get(key, []) if isinstance(role, dict) else None
    if not name or not isinstance(listed, list):
        raise InvalidSourceError(f"{name}: no role with a list `{key}`")
    return list(map(str, listed))


def _build_roles(pairs: Iterable[tuple[str, list[str]]]) -> list[GoogleRole]:
    """Build the roles that have permissions."""
    return [
        GoogleRole(name, tuple(map(normalise_permission, permissions)))
        for name, permissions in pairs
        if permissions
    ]


def encode_ranges(numbers: list[int]) -> str:
    """Encode sorted numbers as ranges: `3 7-12`."""
    parts: list[str] = []
    first = last = -2
    for number in (*numbers, -2):
        if number == last + 1:
            last = number
            continue
        if first >= 0:
            parts.append(f"{first}-{last}" if last > first else f"{first}")
        first = last = number
    return " ".join(parts)


def encode_catalogue(roles: list[GoogleRole], date: str) -> bytes:
    """Encode roles as a catalogue."""
    names = sorted({each for role in roles for each in role.permissions})
    numbers = {name: number for number, name in enumerate(names)}
    ranges = {
        role.name: encode_ranges(sorted(numbers[each] for each in role.permissions))
        for role in sorted(roles, key=lambda each: each.name)
    }
    return msgspec.json.encode(RoleFile(ORIGIN, LICENCE, date, tuple(names), ranges))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the catalogue; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--date",
        required=True,
        type=date.fromisoformat,
        help="day of the source, YYYY-MM-DD",
    )
    parser.add_argument("--output", type=Path, default=ROLE_FILE, help="the catalogue")
    asked = parser.parse_args(arguments)
    least = LEAST_SHARE * len(load_predefined_roles().ranges)
    try:
        roles = read_roles(asked.source)
        if len(roles) < least:
            what = f"{len(roles)} roles (expected at least {least:.0f})"
            raise InvalidSourceError(f"{asked.source}: {what}")
    except InvalidSourceError as error:
        print(f"error: {error}; the catalogue is unchanged", file=sys.stderr)
        return 2
    data = encode_catalogue(roles, asked.date.isoformat())
    part = asked.output.with_suffix(".part")
    part.write_bytes(lzma.compress(data, preset=9))
    part.replace(asked.output)
    print(f"{len(roles)} roles in {asked.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
