"""Read the reviewed file of suppressed and assigned findings.

suppressions:
- {id: finding:..., reason: TEXT, owner: person:..., until: 2027-01-31}
assignments:
- {id: finding:..., person: person:...}
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.document_parser import (
    SIZE_LIMIT,
    DocumentFormat,
    parse_document,
)
from answerable.connectors.regular_file import read_named_file
from answerable.model.errors import ParseError, UsageError
from answerable.model.finding_review import MAX_SUPPRESSION
from answerable.model.ids import build_person_id
from answerable.model.time_units import DAY_NS
from answerable.posture.reviews import FindingReviews, Suppression

_SUPPRESSION = ("id", "reason", "owner", "until")
_ASSIGNMENT = ("id", "person")
_SECTIONS = ("suppressions", "assignments")


def read_reviews(path: Path, now: int) -> FindingReviews:
    """Read a reviewed file.

    Args:
        now: UTC nanoseconds.

    Raises:
        UsageError: The file cannot be read, is no YAML or JSON document, or has an
            entry that lacks a member, has an unknown one, or a day that is invalid or more
            than a year away.
    """
    place = str(path)
    try:
        data = read_named_file(path, SIZE_LIMIT + 1)
        root = parse_document(data, DocumentFormat.YAML, place).root
    except OSError as error:
        problem = f"{place}: {error.strerror or 'cannot be read'}"
        raise UsageError(problem, "name a reviewed file of findings") from None
    except ParseError as error:
        raise UsageError(str(error), "docs/findings.md has an example") from None
    if root.raw is not None and not isinstance(root.raw, dict):
        _raise_invalid_file(
            place, "#", "the file is not a mapping of sections", " or ".join(_SECTIONS)
        )
    for name, _ in root.members():
        if name not in _SECTIONS:
            _raise_invalid_file(place, name, "unknown section", " or ".join(_SECTIONS))
    return FindingReviews(
        {
            entry["id"]: _build_suppression(place, entry, now)
            for entry in _read_entries(root, place, "suppressions", _SUPPRESSION)
        },
        {
            entry["id"]: build_person_id(entry["person"].removeprefix("person:"))
            for entry in _read_entries(root, place, "assignments", _ASSIGNMENT)
        },
    )


def _read_entries(
    root: DocumentNode, place: str, section: str, names: tuple[str, ...]
) -> Iterator[dict[str, str]]:
    """Read the entries of a section; each has exactly the named members."""
    block = root.get(section)
    if block is not None and not isinstance(block.raw, list):
        _raise_invalid_file(
            place,
            section,
            "the section is not a list of entries",
            f"- {{{', '.join(names)}}}",
        )
    for number, node in enumerate(block.items() if block is not None else ()):
        entry = {name: value.text() or str(value.raw) for name, value in node.members()}
        at = f"{section}/{number}"
        for name in (*names, *entry):
            if not entry.get(name, "").strip() or name not in names:
                problem = "unknown member" if name not in names else "missing member"
                _raise_invalid_file(place, f"{at}/{name}", problem, ", ".join(names))
        yield entry


def _build_suppression(place: str, entry: dict[str, str], now: int) -> Suppression:
    """Build a suppression; its last day is counted to its end, in UTC.

    Raises:
        UsageError: The day is invalid, or later than a signed acceptance may end.
    """
    try:
        day = date.fromisoformat(entry["until"])
    except ValueError:
        _raise_invalid_file(
            place, "until", f"invalid day {entry['until'][:40]!r}", "YYYY-MM-DD"
        )
        raise
    end = int(datetime.combine(day, time.max, UTC).timestamp()) * 1_000_000_000
    if end > now + MAX_SUPPRESSION:
        most = f"a day within {MAX_SUPPRESSION // DAY_NS} days"
        _raise_invalid_file(place, f"until: {day}", "acceptance without an end", most)
    return Suppression(
        entry["reason"],
        build_person_id(entry["owner"].removeprefix("person:")),
        entry["until"],
        end,
    )


def _raise_invalid_file(place: str, at: str, problem: str, expected: str) -> None:
    """Refuse the file.

    Raises:
        UsageError: Always.
    """
    raise UsageError(
        f"{problem} (got {at!r} in {place}, expected {expected})",
        "docs/findings.md has an example",
    )
