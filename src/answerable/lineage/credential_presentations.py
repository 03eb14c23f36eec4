"""Find the mediated call that presented the credential of a platform event.

A gateway records the SHA-256 and the `jti` of the token that it presents to a server,
and the platform logs the same with the call. Such a token may also be used by others, so
it names the gateway's caller only while a call with it is open.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from answerable.lineage.gateway_mediation import CLOCK_SKEW
from answerable.model.lineage import (
    ChainKey,
    CredentialIssuance,
    CredentialPresentation,
)


def merge_presentations(
    calls: Iterable[CredentialPresentation],
) -> tuple[CredentialPresentation, ...]:
    """Merge calls of one caller with one credential whose times touch.

    Args:
        calls: Calls in any order, each with the time at which it was certainly open.

    Returns:
        Sorted; times of calls are extended by the tolerance for clock differences.
    """
    merged: list[CredentialPresentation] = []
    for call in sorted(calls, key=_get_merge_sort_key):
        start, end = max(0, call.start - CLOCK_SKEW), call.end + CLOCK_SKEW
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.credential, last.parent, last.source)
            == (call.credential, call.parent, call.source)
            and start <= last.end
        ):
            merged[-1] = replace(last, end=max(last.end, end))
        else:
            merged.append(replace(call, start=start, end=end))
    return tuple(merged)


def _get_merge_sort_key(call: CredentialPresentation) -> tuple[object, ...]:
    """Return a sort key: equal credentials and callers together, by time."""
    parent = tuple(getattr(call.parent, each.name) for each in fields(ChainKey))
    return (call.credential, parent, call.source, call.start, call.event)


@dataclass(frozen=True, slots=True)
class PresentationTimeline:
    """Callers that presented one credential, over time.

    Attributes:
        starts: Start of each interval, ascending; the first one is 0.
        callers: Caller of each interval; None where no call was open, or calls of
            several agents were.
    """

    starts: tuple[int, ...] = (0,)
    callers: tuple[CredentialIssuance | None, ...] = (None,)

    def find_caller(self, at: int) -> CredentialIssuance | None:
        """Find the only agent's call that was open at a time, with its credential."""
        return self.callers[max(0, bisect_right(self.starts, at) - 1)]


def index_presentations(
    presentations: Iterable[CredentialPresentation],
) -> Mapping[str, PresentationTimeline]:
    """Index presentations by credential."""
    by_credential: dict[str, list[CredentialPresentation]] = {}
    for each in presentations:
        by_credential.setdefault(each.credential, []).append(each)
    return {
        credential: _build_timeline(credential, found)
        for credential, found in by_credential.items()
    }


def _build_timeline(
    credential: str, presentations: Sequence[CredentialPresentation]
) -> PresentationTimeline:
    """Build the timeline of one credential; times are swept once."""
    starts: list[int] = [0]
    callers: list[CredentialIssuance | None] = [None]
    for at, active in _sweep_times(presentations):
        caller = _build_caller(credential, active)
        if at == starts[-1]:
            callers[-1] = caller
        elif caller != callers[-1]:
            starts.append(at)
            callers.append(caller)
    return PresentationTimeline(tuple(starts), tuple(callers))


def _sweep_times(
    presentations: Sequence[CredentialPresentation],
) -> Iterator[tuple[int, list[CredentialPresentation]]]:
    """Yield each time at which a presentation starts or has ended, with those active."""
    changes = sorted(
        change
        for number, each in enumerate(presentations)
        for change in ((each.start, 1, number), (each.end + 1, 0, number))
    )
    active: dict[int, CredentialPresentation] = {}
    for position, (at, is_start, number) in enumerate(changes):
        if is_start:
            active[number] = presentations[number]
        else:
            active.pop(number, None)
        if position + 1 == len(changes) or changes[position + 1][0] > at:
            yield at, list(active.values())


def _build_caller(
    credential: str, active: Sequence[CredentialPresentation]
) -> CredentialIssuance | None:
    """Build the record that the path follows; None if several agents are possible."""
    if len({each.parent.agent for each in active}) != 1:
        return None
    first = min(active, key=lambda each: (each.start, each.event))
    return CredentialIssuance(
        at=first.start,
        credential=credential,
        identity="",
        until=0,
        parent=_keep_common_fields([each.parent for each in active]),
        event=first.event,
        source=first.source,
    )


def _keep_common_fields(keys: Sequence[ChainKey]) -> ChainKey:
    """Return a key with the fields that all keys share; the others are empty."""
    values = {
        each.name: {getattr(key, each.name) for key in keys}
        for each in fields(ChainKey)
    }
    return ChainKey(
        **{
            name: found.pop() if len(found) == 1 else ""
            for name, found in values.items()
        }
    )
