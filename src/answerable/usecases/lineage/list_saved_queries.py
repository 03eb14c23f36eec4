"""List the saved queries of a store (`trace --saved`)."""

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import SavedQueryItem
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.services.lineage.saved_queries import list_saved_queries
from answerable.store.store import EvidenceStore


def show_saved_queries(store: EvidenceStore) -> Document:
    """List the saved queries, by name."""
    items: list[SavedQueryItem] = [
        {
            "name": saved.name,
            "query": saved.query,
            "by": saved.by,
            "saved_at": format_time(int(saved.at)),
            "saved_by": saved.author,
        }
        for saved in list_saved_queries(store)
    ]
    return Document("saved-queries", items, build_empty_coverage())
