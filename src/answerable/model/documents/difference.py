"""JSON output of `answerable diff`: what changed between two sides."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column
from answerable.model.documents.shared_shapes import DeterminingStatementItem, PathItem


class DifferenceItem(TypedDict):
    """`answerable diff`: one change.

    `change` is `added`, `changed`, `removed` or `not-comparable`. `severity` is that of
    more access, and `none` where access was removed.
    """

    severity: Annotated[
        str,
        Column(
            "`low`, `medium`, `high`, `critical`, or `none` if nothing was granted",
            "",
            1,
            floor=8,
        ),
    ]
    change: Annotated[
        str, Column("`added`, `changed`, `removed` or `not-comparable`", "", 2, floor=7)
    ]
    kind: Annotated[
        str,
        Column(
            "`agent`, `tool`, `credential`, `identity`, `permission`, `trust`, `reach`, `owner`, `pin` or `source`",
            "",
            2,
            floor=10,
        ),
    ]
    text: Annotated[str, Column("the change in one line", "what", 0, floor=30)]
    subject: Annotated[
        str, Column("id of the changed item, or identity of the permission")
    ]
    field: Annotated[str, Column("field that differs; empty for the whole item")]
    action: Annotated[str, Column("pattern of actions of a permission")]
    resource: Annotated[str, Column("pattern of resources of a permission")]
    before: Annotated[str, Column("value or verdict before")]
    after: Annotated[str, Column("value or verdict afterwards")]
    agents: Annotated[list[str], Column("the affected agents", "", 3, "ids", floor=16)]
    place: Annotated[str, Column("file and position of the change", "", 3, floor=16)]
    because: Annotated[str, Column("reason why the item cannot be compared")]
    determining: Annotated[
        list[DeterminingStatementItem], Column("statements of a permission")
    ]
    path: Annotated[list[PathItem], Column("path of a permission, as in `reach`")]
