"""Page of a long permission list, and the cursor of the next page."""

from dataclasses import dataclass, replace

from answerable.model.documents.shared_shapes import (
    CoverageRecord,
    Document,
    TruncationItem,
)


@dataclass(frozen=True, slots=True)
class PermissionPage:
    """Part of a permission list.

    Attributes:
        after: Cursor of the next part, empty at the end.
        examined: Number of examined identities.
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
