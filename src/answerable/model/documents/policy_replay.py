"""JSON output of the command `answerable gateway try`. See docs/cli.md."""

from typing import TypedDict


class ChangedDecisionsItem(TypedDict):
    """Group of recent calls with the same changed decision under another policy."""

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


class PolicyReplayItem(TypedDict):
    """Decisions of another policy on recent calls, against the policy in force."""

    policy: str
    calls: int
    left_out: int
    would_have_denied: int
    would_have_passed: int
    in_name: int
    turned: list[ChangedDecisionsItem]
    more: int
