"""JSON output of the command `answerable gateway try`. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class ChangedDecisionsItem(TypedDict):
    """Group of recent calls with the same changed decision under another policy."""

    agent: Annotated[str, Column("the agent")]
    server: Annotated[str, Column("the server")]
    before: Annotated[str, Column("current decision")]
    after: Annotated[str, Column("decision with FILE")]
    passed: Annotated[bool, Column("whether the calls are forwarded now")]
    passes: Annotated[bool, Column("whether the calls would be forwarded with FILE")]
    reason: Annotated[str, Column("reason of the new decision")]
    rules_before: Annotated[list[str], Column("rules that decide now")]
    rules: Annotated[list[str], Column("rules that would decide")]
    count: Annotated[int, Column("number of calls")]


class PolicyReplayItem(TypedDict):
    """Decisions of another policy on recent calls, against the policy in force."""

    policy: Annotated[str, Column("digest of FILE")]
    calls: Annotated[int, Column("number of reevaluated calls")]
    left_out: Annotated[
        int,
        Column(
            "recent calls that were not decided again: arguments of more than 16 KiB, or no time left"
        ),
    ]
    would_have_denied: Annotated[
        int, Column("calls that pass now and would be blocked")
    ]
    would_have_passed: Annotated[
        int, Column("calls that are blocked now and would pass")
    ]
    in_name: Annotated[
        int,
        Column(
            "calls that are allowed now and would be denied, but still pass, because the agent's mode is `observe` or `shadow`"
        ),
    ]
    turned: Annotated[
        list[ChangedDecisionsItem],
        Column("groups of calls with a different decision, largest first"),
    ]
    more: Annotated[int, Column("differing calls that are not among these 64")]
