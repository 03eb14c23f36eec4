"""JSON output about requests that persons signed for agents. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class PersonRequestItem(TypedDict):
    """`answerable requests`: a person's request to an agent.

    `state` is `standing`, `ended`, or the reason why it is invalid; unverified content
    of an invalid request is not shown. Of the text, only size and digest are kept.
    """

    id: Annotated[
        str,
        Column(
            "SHA-256 of the signed statement; decisions use this id as the origin of values",
            "request",
            0,
            "digest",
        ),
    ]
    state: Annotated[
        str,
        Column(
            "`standing`: valid; `ended`; or the reason why the request is invalid: `key-not-enrolled`, `key-revoked`, `signature-wrong`, ... An invalid request shows only the agent",
            "",
            0,
        ),
    ]
    agent: Annotated[str, Column("agent of the request", "", 1, "short-id", floor=12)]
    person: Annotated[str | None, Column("the person", "by", 1, "short-id", floor=10)]
    values: Annotated[
        list[str], Column("the values in the request", "names", 1, "names", floor=16)
    ]
    run: Annotated[
        str | None,
        Column(
            "the run of the request; null for every run for that person",
            "",
            3,
            floor=8,
            empty="any",
        ),
    ]
    until: Annotated[str | None, Column("end of the validity", "", 2, "minute")]
    signed_at: Annotated[str, Column("start of the validity", format="time")]
    size: Annotated[int, Column("size of the text, which is not stored")]
    sha256: Annotated[str, Column("SHA-256 of the text")]
