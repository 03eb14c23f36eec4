"""Judge one call against a baseline profile, layer by layer.

Self-reported facts are no input. A judgement other than allow names the layer, the
expected set, the observed value, and the smallest change that would allow exactly this
call.
"""

from collections.abc import Iterator

from answerable.baseline import deviation_explanations
from answerable.baseline.profile_index import ProfileIndex
from answerable.baseline.run_patterns import hour_of_week
from answerable.baseline.value_judgement import judge_argument_value
from answerable.model.baseline import AcceptedDeviation, BoundEntry, BoundMeasure
from answerable.model.baseline_assessment import (
    NO_DEVIATION,
    BaselineAssessment,
    BaselineDeviation,
    DeviationCode,
)
from answerable.model.behaviour import (
    UNKNOWN_ENVELOPE,
    CallObservation,
    OriginKind,
    RunEnvelope,
    RunProgress,
)
from answerable.model.decision import DecisionEffect

# How strict an effect is; an error is none that a profile has.
STRICTNESS = {
    DecisionEffect.ALLOW: 0,
    DecisionEffect.ASK: 1,
    DecisionEffect.DENY: 2,
    DecisionEffect.ERROR: 3,
}
MIN_RUNS_FOR_ADVICE = 40  # runs from which an unusual hour or rate says something
_WEEK = 168


def judge_call(
    profile_index: ProfileIndex,
    call: CallObservation,
    progress: RunProgress,
    envelope: RunEnvelope = UNKNOWN_ENVELOPE,
) -> BaselineAssessment:
    """Judge one call against a profile: effect and all deviations found.

    Args:
        call: The call, its values with their origins.
        progress: Earlier calls of the agent in the window.
        envelope: Source workload, network and region.
    """
    if "" in profile_index.accepted.get((call.tool, "", call.digest), ()):
        return NO_DEVIATION
    found = list(_find_deviations(profile_index, call, progress, envelope))
    if not found:
        return NO_DEVIATION
    found.sort(key=lambda each: -STRICTNESS[each.effect])
    origins = {o.call: None for v in call.values for o in v.origins if o.call}
    return BaselineAssessment(
        found[0].effect,
        tuple(found),
        AcceptedDeviation(call.tool, "", call.digest),
        (call.id, *origins),
    )


def _find_deviations(
    profile_index: ProfileIndex,
    call: CallObservation,
    progress: RunProgress,
    envelope: RunEnvelope,
) -> Iterator[BaselineDeviation]:
    """Yield each deviation of a call from the profile, layer by layer."""
    if call.crowded:
        yield deviation_explanations.explain_too_many_entities(call)
    is_new = _is_new_tool(profile_index, call)
    if is_new and profile_index.profile.stance.new is not DecisionEffect.ALLOW:
        yield deviation_explanations.explain_new_tool(profile_index, call)
    for value in call.values:
        finding = judge_argument_value(profile_index, call, value, is_new)
        if finding is not None and finding.effect is not DecisionEffect.ALLOW:
            yield finding
    if profile_index.is_empty:
        return
    if not is_new:
        yield from _check_untrusted_sources(profile_index, call)
    yield from _check_reads_before_write(profile_index, call, progress)
    yield from _check_run_bounds(profile_index, call, progress)
    yield from _check_workload_network_and_time(profile_index, call, progress, envelope)


def _is_new_tool(profile_index: ProfileIndex, call: CallObservation) -> bool:
    """Return whether no run called this tool with its current definition."""
    if profile_index.is_empty:
        return False
    known = profile_index.tools.get(call.tool, ())
    return all(each.definition != call.definition for each in known)


def _check_untrusted_sources(
    profile_index: ProfileIndex, call: CallObservation
) -> Iterator[BaselineDeviation]:
    """Yield a deviation per untrusted source that never preceded this tool.

    Untrusted text can make an agent do usual calls with values it finds by itself, so
    the content does not matter. Reads count too: a refused read adds no untrusted text
    to the calls of the person's task.
    """
    effect = profile_index.profile.stance.new
    if effect is DecisionEffect.ALLOW:
        return
    flows = profile_index.get_argument_rules(call.tool, "").flows
    # A signed acceptance of an untrusted value also allows the read of its source.
    signed = [
        value
        for value in call.values
        if profile_index.is_accepted_by_owner(call.tool, value)
    ]
    invited = {origin.source for value in signed for origin in value.origins}
    for source in call.after:
        edges = flows.get((OriginKind.BEFORE, source, ""), ())
        if source not in invited and not edges:
            yield deviation_explanations.explain_untrusted_context(
                profile_index, call, source
            )


def _check_reads_before_write(
    profile_index: ProfileIndex, call: CallObservation, progress: RunProgress
) -> Iterator[BaselineDeviation]:
    """Yield a deviation if the reads that usually precede a write are missing."""
    sets = profile_index.orders.get(call.tool)
    if not (call.is_write and progress.untrusted and sets):
        return
    if not any(reads <= progress.reads for reads in sets):
        yield deviation_explanations.explain_missing_reads(call, sets, progress)


def _check_run_bounds(
    profile_index: ProfileIndex, call: CallObservation, progress: RunProgress
) -> Iterator[BaselineDeviation]:
    """Yield a deviation per learned bound that the run exceeds with this call."""
    for bound in profile_index.bounds.get(call.tool, ()):
        amount = _measure_bounded_amount(bound, call, progress)
        if amount > bound.most:
            yield deviation_explanations.explain_exceeded_run_bound(
                profile_index, call, bound, amount
            )


def _measure_bounded_amount(
    bound: BoundEntry, call: CallObservation, progress: RunProgress
) -> int:
    """Return a run's count, sum, records or bytes for a bound."""
    if bound.measure is BoundMeasure.COUNT:
        return progress.counts.get(call.tool, 0) + 1
    if bound.measure is BoundMeasure.SUM:
        more = sum(amount for path, amount in call.numbers if path == bound.path)
        return progress.sums.get((call.tool, bound.path), 0) + more
    # The size of a result is known only afterwards, so the next call is held back.
    if bound.measure is BoundMeasure.RECORDS:
        return progress.records.get(call.tool, 0)
    return progress.sizes.get(call.tool, 0)


def _check_workload_network_and_time(
    profile_index: ProfileIndex,
    call: CallObservation,
    progress: RunProgress,
    envelope: RunEnvelope,
) -> Iterator[BaselineDeviation]:
    """Yield deviations for a new workload, network, region or time."""
    seen = profile_index.profile.surroundings.seen
    for code, effect, usual, here in (
        (
            DeviationCode.NEW_WORKLOAD,
            DecisionEffect.DENY,
            {e.workload for e in seen},
            envelope.workload,
        ),
        (
            DeviationCode.NEW_NETWORK,
            DecisionEffect.DENY,
            {e.network for e in seen},
            envelope.network,
        ),
        (
            DeviationCode.NEW_REGION,
            DecisionEffect.ASK,
            {e.region for e in seen},
            envelope.region,
        ),
    ):
        # Where runs were learned without it, nothing can be said of it.
        if usual and "" not in usual and here not in usual:
            yield deviation_explanations.explain_new_call_source(
                call, code, effect, usual, here
            )
    if profile_index.profile.runs >= MIN_RUNS_FOR_ADVICE:
        yield from _check_hour_and_rate(profile_index, call, progress)


def _check_hour_and_rate(
    profile_index: ProfileIndex, call: CallObservation, progress: RunProgress
) -> Iterator[BaselineDeviation]:
    """Yield advisory deviations for an unusual hour or call rate."""
    hours = dict(profile_index.profile.surroundings.hours)
    hour = hour_of_week(call.at)
    near = (hour - 1, hour, hour + 1)
    if hours and not any(each % _WEEK in hours for each in near):
        yield deviation_explanations.explain_unusual_time(
            call, DeviationCode.UNUSUAL_HOUR, str(hour), len(hours)
        )
    rates = dict(profile_index.profile.surroundings.rates)
    rate = progress.lately + 1
    if rates and rate.bit_length() > max(rates):
        most = 2 ** max(rates) - 1
        yield deviation_explanations.explain_unusual_time(
            call, DeviationCode.UNUSUAL_RATE, str(rate), most
        )
