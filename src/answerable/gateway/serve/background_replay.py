"""Replay recent calls under another policy, a few per event loop iteration."""

import asyncio

from answerable.authorization.decision_table import DecisionTable
from answerable.gateway.replay_buffer import ReplayBuffer
from answerable.model.policy_replay import PolicyReplayResult
from answerable.usecases.authorization.authorize import Authorizer
from answerable.usecases.authorization.policy_replay import PolicyReplay

MAX_SECONDS = 3.0  # seconds, of those that the supervisor waits
BATCH_SIZE = 8  # calls per iteration: another call waits half a millisecond


async def replay_policy(
    authority: Authorizer, table: DecisionTable, replay_buffer: ReplayBuffer
) -> PolicyReplayResult:
    """Decide the buffered calls again by another policy; compare the decisions.

    Args:
        authority: Decides by the policy in force.
        table: The other policy.
        replay_buffer: Buffer of recent calls.
    """
    loop = asyncio.get_running_loop()
    trial = authority.with_policy(table)
    replay = PolicyReplay(
        authority.authorize,
        trial.authorize,
        replay_buffer.list_requests(),
        replay_buffer.skipped_count,
    )
    until = loop.time() + MAX_SECONDS
    while replay.replay_next_requests(BATCH_SIZE) and loop.time() < until:  # noqa: ASYNC110 - it works
        await asyncio.sleep(0)
    return replay.outcome()
