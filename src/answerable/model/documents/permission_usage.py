"""JSON output about granted, reachable, used and blocked permissions."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class PatternUsageItem(TypedDict):
    """Usage of an action pattern as written in policies.

    `used` and `blocked` are null where the trail has no data.
    """

    subject: str
    action: str
    resources: list[str]
    granted: str
    reachable: str
    admin: bool
    used: int | None
    last_used: str | None
    used_by: list[str]
    blocked: int | None
    last_blocked: str | None


class ActionUsageItem(TypedDict):
    """`answerable reach --used`: usage of one action.

    `used` and `blocked` are null where the trail has no data.
    """

    action: Annotated[str, Column("the action", "", 0)]
    granted: Annotated[
        str,
        Column(
            "verdict of the subject's own policies, on some resource; `not-known` if these policies were not collected",
            "",
            1,
        ),
    ]
    reachable: Annotated[
        str, Column("verdict including identities that the subject can become", "", 2)
    ]
    used: Annotated[
        int | None,
        Column(
            "calls that were not denied, by the subject or an identity that it assumed; null if the trail does not record such calls",
            "",
            1,
            "count",
            right=True,
            empty="not known",
        ),
    ]
    last_used: Annotated[
        str | None, Column("time of the latest of these calls", "", 3, "time")
    ]
    blocked: Annotated[
        int | None,
        Column(
            "denied calls; null if the trail does not record such calls",
            "",
            2,
            "count",
            right=True,
            empty="not known",
        ),
    ]
    used_by: Annotated[
        list[str],
        Column("the identities that made the calls", "as", 4, "identities", floor=14),
    ]
    subject: Annotated[str, Column("the identity")]
    service: Annotated[str, Column("service of the action")]
    last_blocked: Annotated[str | None, Column("the latest denied call", format="time")]
    recorded_since: Annotated[
        str | None,
        Column(
            "start of the trail for such calls; null if the trail does not record such calls",
            format="time",
        ),
    ]
