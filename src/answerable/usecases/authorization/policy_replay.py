"""Decide recent requests again by another policy, before it is in force.

Both policies decide with the current revocations and other state, so that differences
come from the policies only. The identity of a caller is that of the recorded call.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from answerable.authorization.policy_replay import DecisionPairs, compare_decisions
from answerable.model.decision import AuthorizationRequest, Decision
from answerable.model.policy_replay import PolicyReplayResult

Decide: TypeAlias = Callable[[AuthorizationRequest], Decision]


class PolicyReplay:
    """Incremental replay of requests against another policy.

    Args:
        current: Decides by the policy in force.
        candidate: Decides by the other policy, with the same revocations.
        requests: Recent requests, oldest first.
        dropped_count: Number of requests that were not kept.
    """

    def __init__(
        self,
        current: Decide,
        candidate: Decide,
        requests: Sequence[AuthorizationRequest],
        dropped_count: int,
    ) -> None:
        self._current, self._other = current, candidate
        # Newest first, so that a time limit drops the oldest.
        self._requests = list(requests)
        self._left_out = dropped_count
        self._decided: list[DecisionPairs] = []

    def replay_next_requests(self, limit: int) -> bool:
        """Decide at most `limit` more requests; return whether any are left."""
        for _ in range(min(limit, len(self._requests))):
            request = self._requests.pop()
            before = self._current(request)
            self._decided.append((request, before, self._other(request)))
        return bool(self._requests)

    def outcome(self) -> PolicyReplayResult:
        """Return the result so far."""
        return compare_decisions(self._decided, self._left_out + len(self._requests))
