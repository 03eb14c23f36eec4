"""Refresh the catalogue of predefined Google Cloud roles.

    python scripts/refresh_gcp_roles.py FOLDER --date 2026-08-22

FOLDER is `gcp/roles` of a checkout of https://github.com/iann0036/iam-dataset (MIT), one
file per role, or a file with all of them: `{ROLE: {"permissions": [...]}}`.
"""

import argparse
import json
import lzma
from pathlib import Path

import msgspec

from answerable.connectors.gcp_roles.fetch import ROLE_FILE
from answerable.connectors.gcp_roles.parse import RoleFile
from answerable.model.google_cloud_ids import normalise_permission
from answerable.reach.gcp.catalogue import GoogleRole

ORIGIN = "https://github.com/iann0036/iam-dataset, gcp/roles"
LICENCE = "MIT, Copyright (c) 2021 Ian Mckay"


def read_roles(source: Path) -> list[GoogleRole]:
    """Read the roles of a folder or a file."""
    if source.is_file():
        listed = json.loads(source.read_text(encoding="utf-8"))
        pairs = [(name, each["permissions"]) for name, each in listed.items()]
    else:
        files = [json.loads(path.read_text()) for path in source.glob("*.json")]
        pairs = [(each["name"], each.get("includedPermissions", ())) for each in files]
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


def main() -> None:
    """Write the catalogue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--date", required=True, help="day of the source, YYYY-MM-DD")
    asked = parser.parse_args()
    roles = read_roles(asked.source)
    data = encode_catalogue(roles, asked.date)
    ROLE_FILE.write_bytes(lzma.compress(data, preset=9))
    print(f"{len(roles)} roles in {ROLE_FILE}")


if __name__ == "__main__":
    main()
