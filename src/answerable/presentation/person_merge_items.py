"""Build the items of statements that two ids belong to one person."""

from typing import TYPE_CHECKING

from answerable.model.person import PersonMerge
from answerable.presentation.answer_coverage import format_time

if TYPE_CHECKING:
    from answerable.model.documents.person_merges import PersonMergeItem


def build_merge_item(merge: PersonMerge) -> "PersonMergeItem":
    """Build the item of a statement that two ids belong to one person."""
    return {
        "person": merge.person,
        "other": merge.other,
        "by": merge.by,
        "written_by": merge.written_by.value,
        "at": format_time(merge.at),
    }
