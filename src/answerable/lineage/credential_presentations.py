"""Find the record of another log with the credential, or the caller, of an event.

A gateway records the SHA-256 and the `jti` of the token that it presents to a server,
and the platform logs the same with the call. Such a token may also be used by others, so
it names the gateway's caller only while a call with it is open.

A model invocation log has no credential, but the request id of the CloudTrail record of
the same call, which has one.
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


@dataclass(frozen=True, slots=True)
class InvocationRecord:
    """Record without a credential, with its call in CloudTrail.

    Attributes:
        at: UTC nanoseconds.
        subject: Caller of the record, as `get_presented_subject` returns it.
        call: Chain key of the call in CloudTrail; None if it was not found.
        event: Hex event id of the call.
    """

    at: int
    subject: str
    call: ChainKey | None
    event: str


def join_invocations(
    records: Iterable[InvocationRecord], call_source: str
) -> tuple[CredentialPresentation, ...]:
    """Build the times in which every record of a caller is of one credential.

    Args:
        records: Records in any order.
        call_source: Log source of the calls.

    Returns:
        Sorted. No other record of the same caller is within such a time.
    """
    by_subject: dict[str, dict[int, set[InvocationRecord]]] = {}
    for each in records:
        by_subject.setdefault(each.subject, {}).setdefault(each.at, set()).add(each)
    found: list[CredentialPresentation] = []
    for subject, by_time in sorted(by_subject.items()):
        open_call: CredentialPresentation | None = None
        for at, same_time in sorted(by_time.items()):
            calls = {each.call for each in same_time}
            call = calls.pop() if len(calls) == 1 else None
            if open_call is not None and open_call.parent == call:
                open_call = replace(open_call, end=at)
                found[-1] = open_call
            elif call is not None:
                event = min(each.event for each in same_time)
                open_call = CredentialPresentation(
                    subject, at, at, call, event, call_source
                )
                found.append(open_call)
            else:
                open_call = None
    return tuple(found)


def get_presented_subject(key: ChainKey, source: str) -> str:
    """Return the credential of a chain key, or its caller if it has none."""
    return key.credential or f"{source} {key.session or key.identity}"


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
