"""JSON output about statements that two ids belong to one person."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class PersonMergeItem(TypedDict):
    """Statement that two ids belong to one person. It gives no permission."""

    person: Annotated[str, Column("the one id")]
    other: Annotated[str, Column("the other id")]
    by: Annotated[
        str, Column("the signer, or the author of a statement without a signature")
    ]
    written_by: Annotated[
        str, Column("`person` for a signed statement, otherwise `self-reported`")
    ]
    at: Annotated[str, Column("time of the statement", format="time")]
