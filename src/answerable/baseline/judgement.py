"""Judgement of one call against a profile, layer by layer.

Self-reported facts are no input. A judgement other than allow names the layer, the
expected set, the observed value, and the smallest change that would allow exactly this
call.
"""

from collections.abc import Iterator

from answerable.baseline import findings
from answerable.baseline.profile_index import Held
from answerable.baseline.run_bounds import hour_of_week
from answerable.baseline.value_judgement import of_value
from answerable.model.baseline import Accepted, Bound, Measure
from answerable.model.baseline_assessment import ALLOWED, Code, Finding, Judgement
from answerable.model.behaviour import (
    NOWHERE,
    Envelope,
    Observation,
    OriginKind,
    Progress,
)
from answerable.model.decision import Effect

# How strict an effect is; an error is none that a profile has.
STRICT = {Effect.ALLOW: 0, Effect.ASK: 1, Effect.DENY: 2, Effect.ERROR: 3}
MATURE = 40  # runs from which an unusual hour or rate says something
_WEEK = 168


def judge(
    held: Held,
    call: Observation,
    progress: Progress,
    envelope: Envelope = NOWHERE,
) -> Judgement:
    """Judge one call.

    Args:
        call: The call, its values with their origins.
        progress: Earlier calls of the agent in the window.
        envelope: Source workload, network and region.
    """
    if "" in held.accepted.get((call.tool, "", call.digest), ()):
        return ALLOWED
    found = list(_findings(held, call, progress, envelope))
    if not found:
        return ALLOWED
    found.sort(key=lambda each: -STRICT[each.effect])
    origins = {o.call: None for v in call.values for o in v.origins if o.call}
    return Judgement(
        found[0].effect,
        tuple(found),
        Accepted(call.tool, "", call.digest),
        (call.id, *origins),
    )


def _findings(
    held: Held, call: Observation, progress: Progress, envelope: Envelope
) -> Iterator[Finding]:
    if call.crowded:
        yield findings.crowded(call)
    is_new = _is_new(held, call)
    if is_new and held.profile.stance.new is not Effect.ALLOW:
        yield findings.new_tool(held, call)
    for value in call.values:
        finding = of_value(held, call, value, is_new)
        if finding is not None and finding.effect is not Effect.ALLOW:
            yield finding
    if held.is_cold:
        return
    if not is_new:
        yield from _context(held, call)
    yield from _order(held, call, progress)
    yield from _bounds(held, call, progress)
    yield from _surroundings(held, call, progress, envelope)


def _is_new(held: Held, call: Observation) -> bool:
    """Tell whether no run called this tool with its current definition."""
    if held.is_cold:
        return False
    known = held.tools.get(call.tool, ())
    return all(each.definition != call.definition for each in known)


def _context(held: Held, call: Observation) -> Iterator[Finding]:
    """Find untrusted text that never preceded such a call.

    Untrusted text can make an agent do usual calls with values it finds by itself, so
    the content does not matter. Reads count too: a refused read adds no untrusted text
    to the calls of the person's task.
    """
    effect = held.profile.stance.new
    if effect is Effect.ALLOW:
        return
    flows = held.sink(call.tool, "").flows
    # A signed acceptance of an untrusted value also allows the read of its source.
    signed = [value for value in call.values if held.accepts(call.tool, value)]
    invited = {origin.source for value in signed for origin in value.origins}
    for source in call.after:
        edges = flows.get((OriginKind.BEFORE, source, ""), ())
        if source not in invited and not edges:
            yield findings.context(held, call, source)


def _order(held: Held, call: Observation, progress: Progress) -> Iterator[Finding]:
    sets = held.orders.get(call.tool)
    if not (call.is_write and progress.untrusted and sets):
        return
    if not any(reads <= progress.reads for reads in sets):
        yield findings.missing_reads(call, sets, progress)


def _bounds(held: Held, call: Observation, progress: Progress) -> Iterator[Finding]:
    for bound in held.bounds.get(call.tool, ()):
        amount = _amount(bound, call, progress)
        if amount > bound.most:
            yield findings.over_bound(held, call, bound, amount)


def _amount(bound: Bound, call: Observation, progress: Progress) -> int:
    if bound.measure is Measure.COUNT:
        return progress.counts.get(call.tool, 0) + 1
    if bound.measure is Measure.SUM:
        more = sum(amount for path, amount in call.numbers if path == bound.path)
        return progress.sums.get((call.tool, bound.path), 0) + more
    # The size of a result is known only afterwards, so the next call is held back.
    if bound.measure is Measure.RECORDS:
        return progress.records.get(call.tool, 0)
    return progress.sizes.get(call.tool, 0)


def _surroundings(
    held: Held, call: Observation, progress: Progress, envelope: Envelope
) -> Iterator[Finding]:
    seen = held.profile.surroundings.seen
    for code, effect, usual, here in (
        (Code.NEW_WORKLOAD, Effect.DENY, {e.workload for e in seen}, envelope.workload),
        (Code.NEW_NETWORK, Effect.DENY, {e.network for e in seen}, envelope.network),
        (Code.NEW_REGION, Effect.ASK, {e.region for e in seen}, envelope.region),
    ):
        # Where runs were learned without it, nothing can be said of it.
        if usual and "" not in usual and here not in usual:
            yield findings.elsewhere(call, code, effect, usual, here)
    if held.profile.runs >= MATURE:
        yield from _when(held, call, progress)


def _when(held: Held, call: Observation, progress: Progress) -> Iterator[Finding]:
    hours = dict(held.profile.surroundings.hours)
    hour = hour_of_week(call.at)
    near = (hour - 1, hour, hour + 1)
    if hours and not any(each % _WEEK in hours for each in near):
        yield findings.advisory(call, Code.UNUSUAL_HOUR, str(hour), len(hours))
    rates = dict(held.profile.surroundings.rates)
    rate = progress.lately + 1
    if rates and rate.bit_length() > max(rates):
        most = 2 ** max(rates) - 1
        yield findings.advisory(call, Code.UNUSUAL_RATE, str(rate), most)
