"""Replay recorded calls under three kinds of access; count the calls each would allow.

Standing access lets every call happen. Timed access, also named just in time, lets a
credential live for a time T after its first use and grants it again on request: it lets
the same calls happen, and asks at some of them. Access that a baseline holds lets the
calls happen that the identity's earlier calls generalise to.

Each call is judged on its own: a call that would not have happened without an earlier
refused one is counted all the same, so the numbers of a baseline are upper bounds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplayedCall:
    """Recorded call that succeeded.

    Attributes:
        at: UTC nanoseconds.
        credential: Credential, else the identity, that the call used.
        resources: Resources that the record names.
        is_held: Whether the baseline of the identity allows it.
        is_learned: Whether the identity has a baseline at all.
        is_harmful: Whether it matches an indicator.
    """

    at: int
    credential: str
    action: str
    resources: tuple[str, ...]
    is_held: bool
    is_learned: bool
    is_harmful: bool


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """Result of a replay under one kind of access.

    Attributes:
        allowed: Calls that happen.
        unasked: Calls that happen without a new request for access.
        requests: Requests for access; each is granted.
        refused: Calls that do not happen.
        unlearned: Refused calls of identities without a baseline.
        actions: Distinct actions of the calls that happen.
        resources: Distinct resources of them.
        live: Nanoseconds that credentials are usable, summed.
        harmful: Harmful calls that happen.
        harmful_unasked: Harmful calls that happen without a new request.
        first_harmful: Nanoseconds from the first use of its credential to the first
            harmful call that happens; None if none does.
    """

    allowed: int
    unasked: int
    requests: int
    refused: int
    unlearned: int
    actions: int
    resources: int
    live: int
    harmful: int
    harmful_unasked: int
    first_harmful: int | None


def replay_standing_access(calls: Sequence[ReplayedCall], end: int) -> ReplayOutcome:
    """Replay calls with credentials that never expire.

    Args:
        calls: Calls in the order of time.
        end: End of the replayed time, UTC nanoseconds.
    """
    return _count_outcome(calls, calls, requests=0, live=_sum_lifetimes(calls, end))


def replay_timed_access(calls: Sequence[ReplayedCall], lifetime: int) -> ReplayOutcome:
    """Replay calls with credentials that live for a time after each grant.

    A call at which the credential is not live is a request; it is granted, and the
    credential lives again from then on.

    Args:
        calls: Calls in the order of time.
        lifetime: Nanoseconds.
    """
    granted: dict[str, int] = {}
    unasked: list[ReplayedCall] = []
    requests = 0
    for call in calls:
        at = granted.get(call.credential)
        if at is None or call.at >= at + lifetime:
            granted[call.credential] = call.at
            requests += 1
        else:
            unasked.append(call)
    return _count_outcome(calls, unasked, requests=requests, live=requests * lifetime)


def replay_baseline_access(calls: Sequence[ReplayedCall], end: int) -> ReplayOutcome:
    """Replay calls of which only those happen that a baseline holds."""
    held = [call for call in calls if call.is_held]
    outcome = _count_outcome(held, held, requests=0, live=_sum_lifetimes(calls, end))
    first = _measure_time_to_first_harmful_call(calls, held)
    refused = [call for call in calls if not call.is_held]
    return ReplayOutcome(
        allowed=outcome.allowed,
        unasked=outcome.unasked,
        requests=0,
        refused=len(refused),
        unlearned=sum(not call.is_learned for call in refused),
        actions=outcome.actions,
        resources=outcome.resources,
        live=outcome.live,
        harmful=outcome.harmful,
        harmful_unasked=outcome.harmful_unasked,
        first_harmful=first,
    )


def _count_outcome(
    allowed: Sequence[ReplayedCall],
    unasked: Sequence[ReplayedCall],
    *,
    requests: int,
    live: int,
) -> ReplayOutcome:
    """Count the calls that happen."""
    return ReplayOutcome(
        allowed=len(allowed),
        unasked=len(unasked),
        requests=requests,
        refused=0,
        unlearned=0,
        actions=len({call.action for call in allowed}),
        resources=len({each for call in allowed for each in call.resources}),
        live=live,
        harmful=sum(call.is_harmful for call in allowed),
        harmful_unasked=sum(call.is_harmful for call in unasked),
        first_harmful=_measure_time_to_first_harmful_call(allowed, allowed),
    )


def _measure_time_to_first_harmful_call(
    calls: Iterable[ReplayedCall], allowed: Iterable[ReplayedCall]
) -> int | None:
    """Return the time from a credential's first use to the first harmful call."""
    begun = _find_first_uses(calls)
    harmful = next((call for call in allowed if call.is_harmful), None)
    return None if harmful is None else harmful.at - begun[harmful.credential]


def _sum_lifetimes(calls: Iterable[ReplayedCall], end: int) -> int:
    """Sum the time from the first use of each credential to the end."""
    return sum(max(0, end - at) for at in _find_first_uses(calls).values())


def _find_first_uses(calls: Iterable[ReplayedCall]) -> dict[str, int]:
    """Return the first use of each credential."""
    found: dict[str, int] = {}
    for call in calls:
        found.setdefault(call.credential, call.at)
    return found
