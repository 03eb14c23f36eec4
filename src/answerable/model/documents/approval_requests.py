"""JSON output about approval requests and policy exceptions. See docs/cli.md."""

from typing import TypedDict


class ApprovalRequestItem(TypedDict):
    """`answerable asks`: one blocked action and its owner's answer.

    `state` is `open`, `allowed`, `refused` or `expired`. `amendment` is the id of the
    exception that allows it, `by` the signer, `until` its end (null for never).
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


class PolicyExceptionItem(TypedDict):
    """`answerable asks amendments`: one policy exception, in force or not.

    `state` is `standing`, `open` for a break-glass that waits for its second person,
    or the reason why it is not in force. `arguments` is null for any arguments.
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
