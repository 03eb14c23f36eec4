"""JSON output about the life of a store: statistics, changes, legal holds."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class StoreDayItem(TypedDict):
    """`answerable store stats`: one day with sealed events."""

    day: Annotated[str, Column("UTC day of the events", "", 0)]
    events: Annotated[
        int,
        Column(
            "events that can be read, also those that are not sealed yet",
            "",
            0,
            "count",
            right=True,
        ),
    ]
    segments: Annotated[
        int, Column("segments that contain the records", "", 1, "count", right=True)
    ]
    bytes: Annotated[
        int, Column("size of the files of the day", "", 1, "count", right=True)
    ]
    removed: Annotated[
        int, Column("events that a policy removed", "", 1, "count", right=True)
    ]
    unreadable: Annotated[
        int,
        Column("events in missing or damaged segments", "", 1, "count", right=True),
    ]


class StoreChangeItem(TypedDict):
    """`answerable store compact`, `retain` and `repair`, `evidence erase`: one change."""

    action: Annotated[str, Column("the change", "", 0)]
    state: Annotated[
        str, Column("`done`, `planned` with `--dry-run`, or `open`", "", 0)
    ]
    target: Annotated[str, Column("segment, object or file", "", 0, floor=20)]
    events: Annotated[int, Column("events concerned", "", 1, "count", right=True)]
    held: Annotated[
        int, Column("events that a legal hold keeps", "", 1, "count", right=True)
    ]
    detail: Annotated[str, Column("result, or next step", "", 2)]


class HoldItem(TypedDict):
    """`answerable store hold` and `holds`: one legal hold in force."""

    id: Annotated[str, Column("id of the hold", "", 0)]
    since: Annotated[str, Column("first held day, empty for the beginning", "", 1)]
    until: Annotated[str, Column("last held day, empty for no end", "", 1)]
    source: Annotated[str, Column("log source, empty for all", "", 1)]
    person: Annotated[str, Column("mentioned person, empty for all", "", 1)]
    reason: Annotated[str, Column("reason for the hold", "", 0)]
    at: Annotated[str, Column("time of the hold", "", 2, "time")]
