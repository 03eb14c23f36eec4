"""Learn what holds for a run as a whole: reads before writes, limits, hours, networks."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from answerable.baseline.training_counts import belongs_to_server
from answerable.model.baseline import (
    BaselineSubject,
    BoundEntry,
    BoundMeasure,
    EnvelopeEntry,
    LearningParameters,
    ReadOrderEntry,
)
from answerable.model.behaviour import UNKNOWN_ENVELOPE, AgentRun, CallObservation
from answerable.model.time_units import HOUR_NS, MINUTE_NS

_MIN_FOR_PERCENTILE = 100  # runs from which one outlier does not set a bound
_MAX_READ_SETS = 32  # minimal sets of reads; with more, no reading is usual
_WEEK = 168
_EPOCH = 72  # 1970-01-01 was a Thursday: hours after Monday 00:00

ReadSets = dict[str, Counter[frozenset[str]]]  # by write: runs by what they had read
RunMeasures = dict[tuple[str, BoundMeasure, str], int]


def sort_calls_by_time(run: AgentRun) -> list[CallObservation]:
    """Return the calls of a run in time order."""
    return sorted(run.calls, key=lambda call: (call.at, call.id))


def count_reads_before_writes(
    runs: Iterable[AgentRun], subject: BaselineSubject
) -> ReadSets:
    """Count runs by the tools read before the first call of each write tool."""
    found: ReadSets = defaultdict(Counter)
    for run in runs:
        reads: set[str] = set()
        written: set[str] = set()
        for call in sort_calls_by_time(run):
            if not call.is_write:
                reads.add(call.tool)
            elif belongs_to_server(subject, call.tool) and call.tool not in written:
                written.add(call.tool)
                found[call.tool][frozenset(reads)] += 1
    return found


def learn_reads_before_writes(read_sets: ReadSets) -> tuple[ReadOrderEntry, ...]:
    """Learn which tools are read before each write, as minimal sets of tools."""
    kept = {tool: select_minimal_sets(sets) for tool, sets in sorted(read_sets.items())}
    return tuple(
        ReadOrderEntry(tool, tuple(sorted(tuple(sorted(each)) for each in sets)))
        for tool, sets in kept.items()
        if len(sets) <= _MAX_READ_SETS
    )


def select_minimal_sets(sets: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Keep the sets that contain no other set."""
    kept: list[frozenset[str]] = []
    for each in sorted(sets, key=lambda one: (len(one), sorted(one))):
        if not any(smaller <= each for smaller in kept):
            kept.append(each)
    return kept


def learn_run_bounds(
    runs: Sequence[AgentRun], subject: BaselineSubject, parameters: LearningParameters
) -> tuple[BoundEntry, ...]:
    """Learn upper bounds for a run together with runs begun shortly before.

    Args:
        runs: Training runs, oldest first.
    """
    alone = [sum_run_amounts(run, subject) for run in runs]
    starts = [run.started for run in runs]
    samples: dict[tuple[str, BoundMeasure, str], list[int]] = defaultdict(list)
    for here, run in enumerate(runs):
        total: Counter[tuple[str, BoundMeasure, str]] = Counter()
        first = bisect_left(starts, run.started - parameters.span)
        for each in alone[first : bisect_right(starts, run.started)]:
            total.update(each)
        for key in alone[here]:
            samples[key].append(total[key])
    return tuple(
        BoundEntry(*key, estimate_upper_bound(key[1], values), len(values))
        for key, values in sorted(samples.items())
    )


def sum_run_amounts(run: AgentRun, subject: BaselineSubject) -> RunMeasures:
    """Return one run's calls and sums of writes, and records and bytes of reads."""
    found: Counter[tuple[str, BoundMeasure, str]] = Counter()
    for call in run.calls:
        if not belongs_to_server(subject, call.tool):
            continue
        if call.is_write:
            found[call.tool, BoundMeasure.COUNT, ""] += 1
            for path, amount in call.numbers:
                found[call.tool, BoundMeasure.SUM, path] += amount
        else:
            found[call.tool, BoundMeasure.RECORDS, ""] += call.records
            found[call.tool, BoundMeasure.BYTES, ""] += call.size
    return dict(found)


def estimate_upper_bound(measure: BoundMeasure, values: Sequence[int]) -> int:
    """Return a bound on samples: the largest, or the 99th percentile plus 25 %.

    With few runs, measures other than counts also get a quarter more: the next honest
    amount exceeds the largest of n in one of n + 1 runs.
    """
    ordered = sorted(values)
    if len(ordered) < _MIN_FOR_PERCENTILE:
        return (
            _add_quarter_margin(ordered[-1])
            if measure is not BoundMeasure.COUNT
            else ordered[-1]
        )
    percentile = ordered[-(-99 * len(ordered) // 100) - 1]
    return min(max(percentile + 1, _add_quarter_margin(percentile)), ordered[-1])


def _add_quarter_margin(amount: int) -> int:
    """Return 125 % of an amount, rounded down: the margin of a learned bound."""
    return amount + amount // 4


def learn_times_and_networks(runs: Iterable[AgentRun]) -> EnvelopeEntry:
    """Collect the start hours, call rates, networks and regions of runs."""
    seen = set()
    hours: Counter[int] = Counter()
    rates: Counter[int] = Counter()
    for run in runs:
        if run.envelope != UNKNOWN_ENVELOPE:
            seen.add(run.envelope)
        hours[hour_of_week(run.started)] += 1
        rates[
            count_calls_in_busiest_minute([call.at for call in sort_calls_by_time(run)])
        ] += 1
    return EnvelopeEntry(
        tuple(sorted(seen, key=lambda e: (e.network, e.workload, e.region))),
        tuple(sorted(hours.items())),
        build_call_rate_histogram(rates.items()),
    )


def build_call_rate_histogram(
    busiest_minutes: Iterable[tuple[int, int]],
) -> tuple[tuple[int, int], ...]:
    """Count runs by the bit length of the calls in their busiest minute."""
    rates: Counter[int] = Counter()
    for calls, runs in busiest_minutes:
        rates[calls.bit_length()] += runs
    return tuple(sorted(rates.items()))


def hour_of_week(at: int) -> int:
    """Return the hour of the week, 0 for Monday 00:00 UTC."""
    return (at // HOUR_NS + _EPOCH) % _WEEK


def count_calls_in_busiest_minute(times: Sequence[int]) -> int:
    """Return the number of calls in the busiest minute; times ascend."""
    best = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - MINUTE_NS:
            first += 1
        best = max(best, last - first + 1)
    return best
