"""JSON output of `answerable findings trend`: numbers of findings by snapshot."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class FindingTrendItem(TypedDict):
    """`answerable findings trend`: findings of one snapshot, oldest snapshot first."""

    snapshot: Annotated[str, Column("name of the snapshot", "", 0, floor=20)]
    critical: Annotated[
        int, Column("open findings of severity `critical`", "", 1, right=True)
    ]
    high: Annotated[int, Column("open ones of severity `high`", "", 1, right=True)]
    medium: Annotated[int, Column("open ones of severity `medium`", "", 1, right=True)]
    low: Annotated[int, Column("open ones of severity `low`", "", 1, right=True)]
    suppressed: Annotated[
        int, Column("findings that a person accepts", "accepted", 2, right=True)
    ]
    new: Annotated[
        int | None,
        Column(
            "findings that the previous snapshot does not have; null for the first snapshot",
            "new",
            1,
            right=True,
        ),
    ]
    new_ids: Annotated[
        list[str],
        Column(
            "ids of the new findings; of the first snapshot, of all of its findings"
        ),
    ]
    resolved: Annotated[
        int | None,
        Column(
            "findings of the previous snapshot that this snapshot no longer has, although their source was read again",
            "resolved",
            1,
            right=True,
        ),
    ]
    unread: Annotated[
        int | None,
        Column(
            "findings of the previous snapshot that cannot be compared, because their source was not read again or their rule now lacks data; these findings are not resolved",
            "unread",
            2,
            right=True,
        ),
    ]
    not_evaluated: Annotated[
        int,
        Column(
            "results without data: rules that were not evaluated, each once for a platform or a subject",
            "not evaluated",
            2,
            right=True,
        ),
    ]
    missing_sources: Annotated[
        list[str],
        Column(
            "sources of the previous snapshot that were not read, or not completely",
            "sources not read",
            3,
            "names",
            floor=16,
        ),
    ]
