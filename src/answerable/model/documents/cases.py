"""JSON output of the case commands: cases, their records and bundles."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column
from answerable.model.documents.trace import TraceItem


class CaseItem(TypedDict):
    """`answerable case list`: one investigation case."""

    id: Annotated[str, Column("id of the case", "", 0)]
    title: Annotated[str, Column("the title", "", 1, floor=16)]
    state: Annotated[str, Column("`open` or `closed`", "", 1)]
    opened_at: Annotated[
        str, Column("time at which the case was opened", "opened", 3, "time")
    ]
    opened_by: Annotated[
        str, Column("login name of the operating system; not verified", "by", 4)
    ]
    assignee: Annotated[
        str,
        Column("person who works on the case; empty for none", "assigned to", 2, "id"),
    ]
    events: Annotated[int, Column("added events", "", 2, "count", right=True)]
    decisions: Annotated[int, Column("added decisions", "", 2, "count", right=True)]
    findings: Annotated[int, Column("added findings", "", 2, "count", right=True)]
    notes: Annotated[int, Column("notes of people", "", 2, "count", right=True)]


class CaseRecordItem(TypedDict):
    """`answerable case show`: one record of a case."""

    case: Annotated[str, Column("id of the case")]
    at: Annotated[str, Column("time of the record", "time (UTC)", 1, "second")]
    by: Annotated[
        str, Column("login name of the operating system; not verified", "", 2)
    ]
    kind: Annotated[
        str,
        Column(
            "`opened`, `event`, `decision`, `finding`, `note`, `assigned` or `closed`",
            "",
            0,
        ),
    ]
    value: Annotated[
        str,
        Column(
            "id of the added event, decision, finding or of the assigned person",
            "id",
            3,
            floor=12,
        ),
    ]
    text: Annotated[
        str, Column("title, note, reason or summary of the item", "", 0, floor=16)
    ]
    absent: Annotated[
        str,
        Column(
            "why the event or decision cannot be shown: `removed` (by retention), "
            "`erased`, `unreadable` or `not-known`; otherwise empty"
        ),
    ]
    log_index: Annotated[int, Column("index of the record in the log")]
    rows: Annotated[
        list[TraceItem], Column("rows of an event or a decision, as in `trace`")
    ]


class CaseBundleItem(TypedDict):
    """`answerable case bundle`: one file with a whole case."""

    case: Annotated[str, Column("id of the case", "", 0)]
    events: Annotated[int, Column("events in the bundle", "", 0, "count", right=True)]
    joining: Annotated[
        int,
        Column(
            "number of events that only join the chains", "", 1, "count", right=True
        ),
    ]
    objects: Annotated[
        int,
        Column(
            "objects: records of the case, snapshots, statements about owners",
            "",
            1,
            "count",
            right=True,
        ),
    ]
    absent: Annotated[
        list[str],
        Column("ids of events and decisions without content and proof, and why"),
    ]
    log_size: Annotated[int, Column("entries of the log", "", 2, "count", right=True)]
    key: Annotated[str, Column("public key that verifies the file", "", 1)]
    bundle: Annotated[str, Column("content of the file")]
