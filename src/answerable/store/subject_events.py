"""Query whether an event names a subject."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_COLUMN_OF_SUBJECT = {"agent": "agent", "cred": "credential", "person": "person"}


def has_events_of_subject(store: "EvidenceStore", subject: str) -> bool:
    """Return whether an event names an agent, a credential or a person."""
    column = _COLUMN_OF_SUBJECT.get(subject.partition(":")[0])
    if column is None:
        return False
    query = f"SELECT 1 FROM skimmed WHERE {column} = ? LIMIT 1"  # noqa: S608 - ours
    return bool(store.run_query(query, [subject]))
