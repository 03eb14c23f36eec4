"""The document about requests: shapes only. See docs/cli.md."""

from typing import TypedDict


class RequestItem(TypedDict):
    """`answerable requests`: what a person asked an agent for.

    `state` is `standing`, `ended`, or why it does not count; of such a one nothing is
    shown that nobody vouches for. Of the words, size and digest alone are kept.
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
