"""Policy replay in a serving worker: a few calls per iteration of the event loop."""

import asyncio

from answerable.authorization.decision_table import Table
from answerable.gateway.replay_buffer import Recent
from answerable.model.policy_replay import Replayed
from answerable.usecases.authorization.authorize import Authority
from answerable.usecases.authorization.policy_replay import Replay

LONGEST = 3.0  # seconds, of those that the supervisor waits
AT_ONCE = 8  # calls per iteration: another call waits half a millisecond


async def decide_anew(authority: Authority, table: Table, recent: Recent) -> Replayed:
    """Evaluate another policy on the recent calls.

    Args:
        authority: Decides by the policy in force.
        table: The other policy.
        recent: Buffer of recent calls.
    """
    loop = asyncio.get_running_loop()
    replay = Replay(authority, table, recent.requests(), recent.left_out)
    until = loop.time() + LONGEST
    while replay.step(AT_ONCE) and loop.time() < until:  # noqa: ASYNC110 - it works
        await asyncio.sleep(0)
    return replay.outcome()
