"""Check AWS region names such as `eu-west-1`, and suggest the nearest one.

Source: the region patterns of AWS's partitions (`regionRegex` of partitions.json in the
AWS SDKs, 2026-11): aws, aws-cn, aws-us-gov, aws-iso and its sisters, aws-eusc. A list of
regions would refuse the next one.
"""

import re
from difflib import get_close_matches

_AREAS = (
    "us",
    "eu",
    "ap",
    "sa",
    "ca",
    "me",
    "af",
    "il",
    "mx",
    "cn",
    "us-gov",
    "us-iso",
    "us-isob",
    "us-isof",
    "eu-isoe",
    "eusc-de",
)
_DIRECTIONS = (
    "central",
    "north",
    "south",
    "east",
    "west",
    "northeast",
    "northwest",
    "southeast",
    "southwest",
)
_NAME = re.compile(f"({'|'.join(_AREAS)})-({'|'.join(_DIRECTIONS)})-[1-9][0-9]?")


def is_region_name(text: str) -> bool:
    """Return whether a text can be the name of a region."""
    return _NAME.fullmatch(text) is not None


def suggest_region(text: str) -> str:
    """Return the name of a region that is nearest to a text, or empty."""
    head, _, number = text.lower().rpartition("-")
    number = number if number.isdigit() and head else "1"
    names = [f"{area}-{way}-{number}" for area in _AREAS for way in _DIRECTIONS]
    close = get_close_matches(text.lower(), names, n=9, cutoff=0.7)
    # Transposed letters are the most likely typing error.
    swapped = [name for name in close if sorted(name) == sorted(text.lower())]
    return next(iter([*swapped, *close]), "")
