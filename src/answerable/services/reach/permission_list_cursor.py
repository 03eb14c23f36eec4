"""Page of a long permission list, and the cursor of the next page."""

from dataclasses import dataclass, replace

from answerable.model.documents.core import CoverageRecord, Document, TruncationItem
from answerable.model.errors import UsageError
from answerable.reach.aws.answer_pages import PageCursor


@dataclass(frozen=True, slots=True)
class PermissionPage:
    """Part of a permission list.

    Attributes:
        after: Cursor of the next part, empty at the end.
        gone: Number of examined identities.
        shown: Number of identities with rows, if the list is cut.
    """

    document: Document
    after: str
    examined: int = 0
    shown: TruncationItem | None = None

    @property
    def document_with_counts(self) -> Document:
        """Output document with the number of examined identities in its coverage."""
        if self.shown is None:
            return self.document
        covered: CoverageRecord = {**self.document.coverage, "shown": self.shown}
        return replace(self.document, coverage=covered)


def parse_cursor(text: str) -> tuple[int, PageCursor]:
    """Parse a page cursor: index of the subject's identity, and position from there.

    Raises:
        UsageError: It is malformed.
    """
    parts = text.split(".") if text else ["0", "0", "0"]
    if len(parts) != 3 or not all(_is_small_number(part) for part in parts):
        raise UsageError(
            f"not a place to go on from (got {text[:40]!r}, expected one that was given)",
            "leave `after` out to begin",
        )
    start, way, row = map(int, parts)
    return start, PageCursor(way, row)


def _is_small_number(text: str) -> bool:
    """Return whether a text is a decimal number of at most nine digits."""
    return text.isascii() and text.isdigit() and len(text) <= 9


def format_cursor(start: int, position: PageCursor) -> str:
    """Format a page cursor as `START.PATH.ROW`."""
    return f"{start}.{position.way}.{position.row}"
