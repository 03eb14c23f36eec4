"""Replays: what another policy decides on calls that were decided lately."""

import msgspec

from answerable.model.decision import Effect, Reason


class Turned(msgspec.Struct, frozen=True):
    """Calls that another policy decides otherwise, and alike.

    Attributes:
        agent: Whose.
        server: Where they went.
        before: What the policy in force says.
        after: What the other one says.
        passed: They go on under the policy in force.
        passes: They go on under the other one.
        reason: Why the other one says so.
        rules_before: Ids of the rules by which the policy in force decides.
        rules: Ids of those by which the other one does.
        count: How many calls.
    """

    agent: str
    server: str
    before: Effect
    after: Effect
    passed: bool
    passes: bool
    reason: Reason
    rules_before: tuple[str, ...]
    rules: tuple[str, ...]
    count: int


class Replayed(msgspec.Struct, frozen=True):
    """What came of a replay.

    Attributes:
        calls: How many were decided anew.
        left_out: How many recent ones were not: they were too large to be kept, or
            there was no time.
        held_back: Of the calls, those that go on and would not.
        let_through: Those that are held back and would go on.
        in_name: Those that are allowed and would be denied, and go on all the same:
            the mode of their agent holds nothing back.
        turned: All that are decided otherwise, alike ones together, most first.
        more: Calls decided otherwise that are not among these.
    """

    calls: int = 0
    left_out: int = 0
    held_back: int = 0
    let_through: int = 0
    in_name: int = 0
    turned: tuple[Turned, ...] = ()
    more: int = 0
