"""Explain a deviation from the baseline: expected values, observed value, sentence.

For owners and operators only; the agent learns that the call was refused and no more.
"""

from collections.abc import Iterable, Sequence

from answerable.baseline.profile_index import ArgumentRules, ProfileIndex
from answerable.model.baseline import (
    BaselineLayer,
    BoundEntry,
    BoundMeasure,
    EntityEntry,
    EntityPattern,
    FlowEntry,
)
from answerable.model.baseline_assessment import BaselineDeviation, DeviationCode
from answerable.model.behaviour import (
    ArgumentValue,
    CallObservation,
    OriginKind,
    RunProgress,
    ValueOrigin,
)
from answerable.model.decision import DecisionEffect

_MAX_SHOWN = 10
_LAYERS = {
    DeviationCode.NEW_RESOURCE: BaselineLayer.RESOURCE,
    DeviationCode.NEW_TOOL: BaselineLayer.CAPABILITY,
}
_SENTENCES = {
    DeviationCode.NEW_RESOURCE: "{tool} was never called with {value} as '{path}'",
    DeviationCode.NEW_FLOW: "'{path}' of {tool} never came from {origin}",
    DeviationCode.UNEXPLAINED: "no input of the agent explains {value} as '{path}' of {tool}",
    DeviationCode.UNTRUSTED_FLOW: "text from an untrusted source ({origin}) contains {value} as '{path}' of "
    "{tool}",
    DeviationCode.NOT_IN_TABLE: "no table attested by the owner contains {value} as '{path}' of {tool}",
    DeviationCode.PROVISIONAL: "{value} as '{path}' of {tool} from {origin} occurred in too few runs",
}


def describe_value_origin(origin: ValueOrigin | None) -> str:
    """Describe in words where an argument value came from."""
    if origin is None or origin.kind is OriginKind.NONE:
        return "the agent's own words"
    if origin.kind is OriginKind.EARLIER:
        place = f" {origin.field}" if origin.field else ""
        return f"{origin.source}{place}, bytes {origin.start} to {origin.end}"
    if origin.kind is OriginKind.BEFORE:
        return f"text from an untrusted source in {origin.source}, read earlier"
    if origin.kind is OriginKind.REQUEST:
        return "a request signed by a person"
    return f"table {origin.source}" if origin.source else origin.kind.value


def describe_flow_source(edge: FlowEntry) -> str:
    """Describe in words the source of a learned data flow."""
    if edge.kind is not OriginKind.EARLIER:
        return describe_value_origin(ValueOrigin(edge.kind, edge.source))
    called = ", ".join(
        f"{name} {describe_entity_pattern(each)}" for name, each in edge.selector
    )
    place = f" {edge.field}" if edge.field else ""
    return f"{edge.source}({called}){place}"


def describe_entity_pattern(pattern: EntityPattern) -> str:
    """Describe in words the values that a learned pattern allows."""
    return f"{pattern.kind.value} {pattern.level.value} {pattern.text}".rstrip()


def explain_unexpected_value(
    argument_rules: ArgumentRules,
    call: CallObservation,
    value: ArgumentValue,
    code: DeviationCode,
    effect: DecisionEffect,
    origin: ValueOrigin | None,
) -> BaselineDeviation:
    """Explain that no rule of the profile covers an argument value."""
    edges = [edge for each in argument_rules.flows.values() for edge in each]
    edges += argument_rules.own.values()
    held: list[FlowEntry | EntityEntry] = [
        *argument_rules.exact.values(),
        *argument_rules.patterns,
        *edges,
    ]
    held.sort(key=lambda each: -each.tally.count)
    shown = [_describe_argument_rule(each) for each in held[:_MAX_SHOWN]]
    sentence = _SENTENCES[code].format(
        tool=call.tool,
        path=value.path or "the argument",
        value=f"{value.kind.value} {value.text}",
        origin=describe_value_origin(origin),
    )
    layer = _LAYERS.get(code, BaselineLayer.FLOW)
    nearest = _find_nearest_example(held, value)
    return BaselineDeviation(
        layer=layer, code=code, effect=effect, tool=call.tool, path=value.path, expected=tuple(shown), observed=value.text, origin=origin,
        example=nearest, sentence=f"{sentence}.",
    )  # fmt: skip


def _describe_argument_rule(rule: FlowEntry | EntityEntry) -> str:
    """Describe in words the flow or entity that a rule allows."""
    return (
        describe_flow_source(rule)
        if isinstance(rule, FlowEntry)
        else describe_entity_pattern(rule.pattern)
    )


def _find_nearest_example(
    rules: Sequence[FlowEntry | EntityEntry], value: ArgumentValue
) -> str:
    """Return the last normal call with an entity of this kind, or any."""
    for each in rules:
        if isinstance(each, EntityEntry) and each.pattern.kind is value.kind:
            return each.tally.example
    return rules[0].tally.example if rules else ""


def explain_new_tool(
    profile_index: ProfileIndex, call: CallObservation
) -> BaselineDeviation:
    """Explain that a tool is new, or that its definition changed."""
    known = profile_index.tools.get(call.tool, ())
    usual = sorted(
        profile_index.profile.capabilities, key=lambda each: -each.tally.count
    )
    sentence = (
        f"The definition of {call.tool} differs from the learned definition."
        if known
        else f"No training run called {call.tool}."
    )
    return BaselineDeviation(
        layer=BaselineLayer.CAPABILITY, code=DeviationCode.NEW_TOOL, effect=profile_index.profile.stance.new, tool=call.tool, path="",
        expected=tuple(each.tool for each in usual[:_MAX_SHOWN]), observed=call.tool, origin=None,
        example=max((each.tally.example for each in known), default=""), sentence=sentence,
    )  # fmt: skip


def explain_too_many_entities(call: CallObservation) -> BaselineDeviation:
    """Explain that a call names more entities than are examined."""
    return BaselineDeviation(
        layer=BaselineLayer.FLOW, code=DeviationCode.CROWDED, effect=DecisionEffect.DENY, tool=call.tool, path="", expected=(),
        observed=str(len(call.values)), origin=None, example="",
        sentence=f"{call.tool} was called with more entities than the analysis allows.",
    )  # fmt: skip


def explain_untrusted_context(
    profile_index: ProfileIndex, call: CallObservation, source: str
) -> BaselineDeviation:
    """Explain that this untrusted text never came before such a call."""
    flows = profile_index.get_argument_rules(call.tool, "").flows
    edges = [e for each in flows.values() for e in each if e.kind is OriginKind.BEFORE]
    usual = tuple(edge.source for edge in edges)
    seen = profile_index.tools.get(call.tool, ())
    return BaselineDeviation(
        layer=BaselineLayer.ORDER, code=DeviationCode.NEW_CONTEXT, effect=profile_index.profile.stance.new, tool=call.tool, path="",
        expected=usual[:_MAX_SHOWN], observed=source, origin=ValueOrigin(OriginKind.BEFORE, source, trusted=False),
        example=max((each.tally.example for each in seen), default=""),
        sentence=f"{call.tool} was called after reading text from an untrusted source in "
            f"{source}; this order occurred in no training run.",
    )  # fmt: skip


def explain_missing_reads(
    call: CallObservation, read_sets: Iterable[frozenset[str]], progress: RunProgress
) -> BaselineDeviation:
    """Explain that the reads usual before a write are missing."""
    usual = tuple(" and ".join(sorted(each)) for each in read_sets)[:_MAX_SHOWN]
    read = ", ".join(sorted(progress.reads)) or "nothing"
    return BaselineDeviation(
        layer=BaselineLayer.ORDER, code=DeviationCode.MISSING_READS, effect=DecisionEffect.DENY, tool=call.tool, path="", expected=usual,
        observed=read, origin=None, example="",
        sentence=f"{call.tool} was called after text from an untrusted source was read, "
            f"without {' or '.join(usual)}, which preceded it in every training run.",
    )  # fmt: skip


def explain_exceeded_run_bound(
    profile_index: ProfileIndex, call: CallObservation, bound: BoundEntry, amount: int
) -> BaselineDeviation:
    """Explain that a run exceeds a learned bound on a count or amount."""
    scale = 1_000_000 if bound.measure is BoundMeasure.SUM else 1
    most, got = f"{bound.most / scale:g}", f"{amount / scale:g}"
    what = f"{bound.measure.value} of {bound.path}" if bound.path else bound.measure
    known = profile_index.tools.get(call.tool, ())
    return BaselineDeviation(
        layer=BaselineLayer.ORDER, code=DeviationCode.OVER_BOUND, effect=DecisionEffect.ASK, tool=call.tool, path=bound.path,
        expected=(most,), observed=got, origin=None, example=max((each.tally.example for each in known), default=""),
        sentence=f"The {what} of {call.tool} in the run would be {got}; the training "
            f"maximum is {most}.",
    )  # fmt: skip


def explain_new_call_source(
    call: CallObservation,
    code: DeviationCode,
    effect: DecisionEffect,
    usual: Iterable[str],
    observed: str,
) -> BaselineDeviation:
    """Explain that a call comes from a new workload, network or region."""
    what = code.value.removeprefix("new-")
    return BaselineDeviation(
        layer=BaselineLayer.ENVELOPE, code=code, effect=effect, tool=call.tool, path="",
        expected=tuple(sorted(usual))[:_MAX_SHOWN], observed=observed, origin=None,
        example="",
        sentence=f"{call.tool} was called from the {what} {observed or '(unknown)'}, from "
            "which no training run came.",
    )  # fmt: skip


def explain_unusual_time(
    call: CallObservation, code: DeviationCode, observed: str, usual: int
) -> BaselineDeviation:
    """Explain that a call comes at an unusual hour or rate."""
    said = {
        DeviationCode.UNUSUAL_HOUR: f"No training run started near hour {observed} of the week; runs started "
        f"in {usual} other hours.",
        DeviationCode.UNUSUAL_RATE: f"There were {observed} calls within a minute; the training maximum is "
        f"{usual}.",
    }
    return BaselineDeviation(
        layer=BaselineLayer.ENVELOPE, code=code, effect=DecisionEffect.ASK, tool=call.tool, path="", expected=(str(usual),), observed=observed,
        origin=None, example="", sentence=said[code],
    )  # fmt: skip
