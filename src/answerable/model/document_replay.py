"""The document of `answerable gateway try`. See docs/cli.md."""

from typing import TypedDict


class TurnedItem(TypedDict):
    """Calls that another policy decides otherwise, and alike."""

    agent: str
    server: str
    before: str
    after: str
    passed: bool
    passes: bool
    reason: str
    rules_before: list[str]
    rules: list[str]
    count: int


class ReplayItem(TypedDict):
    """What a policy would have decided on the calls that were decided lately."""

    policy: str
    calls: int
    left_out: int
    would_have_denied: int
    would_have_passed: int
    in_name: int
    turned: list[TurnedItem]
    more: int
