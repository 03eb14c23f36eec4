"""JSON output about requests that persons signed for agents. See docs/cli.md."""

from typing import TypedDict


class PersonRequestItem(TypedDict):
    """`answerable requests`: a person's request to an agent.

    `state` is `standing`, `ended`, or the reason why it is invalid; unverified content
    of an invalid request is not shown. Of the text, only size and digest are kept.
    """

    id: str
    agent: str
    person: str | None
    run: str | None
    state: str
    signed_at: str
    until: str | None
    size: int
    sha256: str
    values: list[str]
