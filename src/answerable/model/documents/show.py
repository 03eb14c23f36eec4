"""JSON output of `show`: one entity, its facts and its links. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class ShowItem(TypedDict):
    """`answerable show`: one fact about the subject, or one link to another thing."""

    subject: Annotated[str, Column("id of the requested entity")]
    kind: Annotated[
        str,
        Column(
            "`fact`, or the kind of the related entity: `person`, `agent`, `tool`, `identity`, `credential`, `resource`, `event`, `decision`",
            "kind",
            2,
        ),
    ]
    relation: Annotated[
        str,
        Column(
            "name of the attribute or relation; `is` for the entity itself",
            "relation",
            1,
        ),
    ]
    value: Annotated[
        str | None,
        Column(
            "the value, or the id of the related entity; null if there is no value or the value is not known",
            "value",
            0,
            "link",
            floor=27,
        ),
    ]
    status: Annotated[
        str,
        Column(
            "`observed`, `declared` or `inferred`; without a value `missing` or `none`",
            "status",
            4,
        ),
    ]
    written_by: Annotated[
        str,
        Column(
            "`platform`, `mediator`, `person` or `self-reported`: the party that could have written the value; empty if derived from several facts",
            "written by",
            0,
        ),
    ]
    detail: Annotated[
        str, Column("further details", "detail", 3, floor=12, fallback="source")
    ]
    source: Annotated[
        str,
        Column(
            "file, call or log with this value; for `missing`, the source that would supply the value"
        ),
    ]
