"""JSON output of the commands `answerable kill` and `answerable revive`."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class RevocationEffectItem(TypedDict):
    """Effect of a revocation on one thing that it ends or leaves running.

    `state` is `dead`, `waiting` (no server is running to apply it), `refused`,
    `lives`, `revived` or `not-known`; `until` is RFC 3339 UTC, null without a
    known end; `count` is null where nothing is counted.
    """

    state: Annotated[
        str,
        Column(
            "`dead`; `waiting`: in force once the server starts; `refused`: not in force there, `note` says why; `lives`; `revived`; `not-known`",
            "",
            0,
        ),
    ]
    what: Annotated[
        str,
        Column(
            "`calls`, `new tokens`, `delegations`, `tokens given before`, or `credential` and the kind of credential",
            "",
            0,
            "effect",
        ),
    ]
    where: Annotated[
        str,
        Column(
            "the server, the servers that verify tokens themselves, or the platform of a credential",
            "",
            1,
            floor=14,
        ),
    ]
    until: Annotated[
        str | None,
        Column("latest end of the remaining access; null if not known", "", 0),
    ]
    note: Annotated[
        str, Column("the reason, or the way to end the access", "", 2, floor=20)
    ]
    act: Annotated[str, Column("`kill`, `revive` or `dry-run`")]
    subject: Annotated[str, Column("the subject")]
    count: Annotated[int | None, Column("number of ended delegations")]
    id: Annotated[str | None, Column("the credential")]
