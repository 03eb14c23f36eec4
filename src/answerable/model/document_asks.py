"""The documents about asks and amendments: shapes only. See docs/cli.md."""

from typing import TypedDict


class AskItem(TypedDict):
    """`answerable asks`: one act that was held back, and what its owner said.

    `state` is `open`, `allowed`, `refused` or `expired`. `amendment` is the id of what
    allows it, `by` who signed the answer, `until` when that ends (null for never).
    """

    id: str
    agent: str
    owner: str | None
    server: str
    target: str
    name: str
    arguments: str | None
    reason: str
    written_by: str
    count: int
    first: str
    last: str
    state: str
    by: list[str]
    until: str | None
    amendment: str | None


class AmendmentItem(TypedDict):
    """`answerable asks amendments`: one amendment, standing or not.

    `state` is `standing`, `open` for a break-glass that waits for its second person,
    or why it does not stand. `arguments` is null where any will do.
    """

    id: str
    kind: str
    agent: str
    server: str
    target: str
    name: str
    arguments: str | None
    persons: list[str]
    signed_at: str
    until: str | None
    code: str | None
    decision: str | None
    state: str
