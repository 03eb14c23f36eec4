"""Types of a policy replay: recent calls decided again under another policy."""

import msgspec

from answerable.model.decision import DecisionEffect, DecisionReason


class ChangedDecisions(msgspec.Struct, frozen=True):
    """Group of calls with the same changed decision under another policy.

    Attributes:
        agent: Calling agent.
        server: Upstream server.
        before: Effect by the policy in force.
        after: Effect by the other policy.
        passed: They proceed under the policy in force.
        passes: They proceed under the other policy.
        reason: Reason of the other policy.
        rules_before: Determining rules of the policy in force.
        rules: Determining rules of the other policy.
        count: Number of calls.
    """

    agent: str
    server: str
    before: DecisionEffect
    after: DecisionEffect
    passed: bool
    passes: bool
    reason: DecisionReason
    rules_before: tuple[str, ...]
    rules: tuple[str, ...]
    count: int


class PolicyReplayResult(msgspec.Struct, frozen=True):
    """Result of a policy replay.

    Attributes:
        calls: Number of replayed calls.
        left_out: Number of recent calls not replayed: too large to keep, or out of
            time.
        held_back: Replayed calls that proceed now and would be blocked.
        let_through: Calls that are blocked now and would proceed.
        in_name: Calls that are allowed now and would be denied, but proceed because the
            agent's mode blocks nothing.
        turned: Changed decisions, grouped, largest group first.
        more: Changed calls beyond these groups.
    """

    calls: int = 0
    left_out: int = 0
    held_back: int = 0
    let_through: int = 0
    in_name: int = 0
    turned: tuple[ChangedDecisions, ...] = ()
    more: int = 0
