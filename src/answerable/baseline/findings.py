"""Findings of a judgement: the expected set, the observed value, one sentence.

For owners and operators only; the agent learns that the call was refused and no more.
"""

from collections.abc import Iterable, Sequence

from answerable.baseline.profile_index import Held, Sink
from answerable.model.baseline import (
    BaselineLayer,
    Bound,
    Edge,
    Entity,
    Measure,
    Pattern,
)
from answerable.model.baseline_assessment import Code, Finding
from answerable.model.behaviour import (
    Observation,
    Origin,
    OriginKind,
    Progress,
    Value,
)
from answerable.model.decision import Effect

_SHOWN = 10
_LAYERS = {
    Code.NEW_RESOURCE: BaselineLayer.RESOURCE,
    Code.NEW_TOOL: BaselineLayer.CAPABILITY,
}
_SAID = {
    Code.NEW_RESOURCE: "{tool} was never called with {value} as '{path}'",
    Code.NEW_FLOW: "'{path}' of {tool} never came from {origin}",
    Code.UNEXPLAINED: "nothing that the agent was given explains {value} as '{path}' of "
    "{tool}",
    Code.UNTRUSTED_FLOW: "text that strangers write ({origin}) named {value} as '{path}' "
    "of {tool}",
    Code.NOT_IN_TABLE: "no table of the owner lists {value} as '{path}' of {tool}",
    Code.PROVISIONAL: "too few runs have shown {value} as '{path}' of {tool} from "
    "{origin}",
}


def described(origin: Origin | None) -> str:
    """Describe where a value came from."""
    if origin is None or origin.kind is OriginKind.NONE:
        return "the agent's own words"
    if origin.kind is OriginKind.EARLIER:
        place = f" {origin.field}" if origin.field else ""
        return f"{origin.source}{place}, bytes {origin.start} to {origin.end}"
    if origin.kind is OriginKind.BEFORE:
        return f"text of strangers in {origin.source}, read before"
    if origin.kind is OriginKind.REQUEST:
        return "a person's own request"
    return f"table {origin.source}" if origin.source else origin.kind.value


def edge_text(edge: Edge) -> str:
    """Describe the source of an edge."""
    if edge.kind is not OriginKind.EARLIER:
        return described(Origin(edge.kind, edge.source))
    called = ", ".join(f"{name} {pattern(each)}" for name, each in edge.selector)
    place = f" {edge.field}" if edge.field else ""
    return f"{edge.source}({called}){place}"


def pattern(each: Pattern) -> str:
    """Describe a pattern."""
    return f"{each.kind.value} {each.level.value} {each.text}".rstrip()


def flow(
    sink: Sink,
    call: Observation,
    value: Value,
    code: Code,
    effect: Effect,
    origin: Origin | None,
) -> Finding:
    """Explain a value that the profile does not hold."""
    edges = [edge for each in sink.flows.values() for edge in each]
    edges += sink.own.values()
    held: list[Edge | Entity] = [*sink.exact.values(), *sink.patterns, *edges]
    held.sort(key=lambda each: -each.tally.count)
    shown = [_held_text(each) for each in held[:_SHOWN]]
    sentence = _SAID[code].format(
        tool=call.tool,
        path=value.path or "the argument",
        value=f"{value.kind.value} {value.text}",
        origin=described(origin),
    )
    layer = _LAYERS.get(code, BaselineLayer.FLOW)
    nearest = _nearest(held, value)
    return Finding(
        layer, code, effect, call.tool, value.path, tuple(shown), value.text, origin,
        nearest, f"{sentence}.",
    )  # fmt: skip


def _held_text(each: Edge | Entity) -> str:
    return edge_text(each) if isinstance(each, Edge) else pattern(each.pattern)


def _nearest(held: Sequence[Edge | Entity], value: Value) -> str:
    """Return the last normal call with an entity of this kind there, or any."""
    for each in held:
        if isinstance(each, Entity) and each.pattern.kind is value.kind:
            return each.tally.example
    return held[0].tally.example if held else ""


def new_tool(held: Held, call: Observation) -> Finding:
    """Explain that a tool is new or redefined."""
    known = held.tools.get(call.tool, ())
    usual = sorted(held.profile.capabilities, key=lambda each: -each.tally.count)
    sentence = (
        f"{call.tool} is not defined as it was when it was learned."
        if known
        else f"No run that was learned from has called {call.tool}."
    )
    return Finding(
        BaselineLayer.CAPABILITY, Code.NEW_TOOL, held.profile.stance.new, call.tool, "",
        tuple(each.tool for each in usual[:_SHOWN]), call.tool, None,
        max((each.tally.example for each in known), default=""), sentence,
    )  # fmt: skip


def crowded(call: Observation) -> Finding:
    """Explain that a call names more entities than the limit."""
    return Finding(
        BaselineLayer.FLOW, Code.CROWDED, Effect.DENY, call.tool, "", (),
        str(len(call.values)), None, "",
        f"{call.tool} was called with more entities than are looked at.",
    )  # fmt: skip


def context(held: Held, call: Observation, source: str) -> Finding:
    """Explain that untrusted text was read that never preceded such a call."""
    flows = held.sink(call.tool, "").flows
    edges = [e for each in flows.values() for e in each if e.kind is OriginKind.BEFORE]
    usual = tuple(edge.source for edge in edges)
    seen = held.tools.get(call.tool, ())
    return Finding(
        BaselineLayer.ORDER, Code.NEW_CONTEXT, held.profile.stance.new, call.tool, "",
        usual[:_SHOWN], source, Origin(OriginKind.BEFORE, source, trusted=False),
        max((each.tally.example for each in seen), default=""),
        f"{call.tool} was called after text of strangers in {source} was read, which "
        f"came before it in no run.",
    )  # fmt: skip


def missing_reads(
    call: Observation, sets: Iterable[frozenset[str]], progress: Progress
) -> Finding:
    """Explain that the usual reads before a write are missing."""
    usual = tuple(" and ".join(sorted(each)) for each in sets)[:_SHOWN]
    read = ", ".join(sorted(progress.reads)) or "nothing"
    return Finding(
        BaselineLayer.ORDER, Code.MISSING_READS, Effect.DENY, call.tool, "", usual,
        read, None, "",
        f"{call.tool} was called after strangers' text was read and without "
        f"{' or '.join(usual)}, which came first every time.",
    )  # fmt: skip


def over_bound(held: Held, call: Observation, bound: Bound, amount: int) -> Finding:
    """Explain that a run exceeds a learned bound."""
    scale = 1_000_000 if bound.measure is Measure.SUM else 1
    most, got = f"{bound.most / scale:g}", f"{amount / scale:g}"
    what = f"{bound.measure.value} of {bound.path}" if bound.path else bound.measure
    known = held.tools.get(call.tool, ())
    return Finding(
        BaselineLayer.ORDER, Code.OVER_BOUND, Effect.ASK, call.tool, bound.path,
        (most,), got, None, max((each.tally.example for each in known), default=""),
        f"The {what} of {call.tool} in a run would be {got}, and was never over {most}.",
    )  # fmt: skip


def elsewhere(
    call: Observation, code: Code, effect: Effect, usual: Iterable[str], here: str
) -> Finding:
    """Explain that a call comes from a new workload, network or region."""
    what = code.value.removeprefix("new-")
    return Finding(
        BaselineLayer.ENVELOPE, code, effect, call.tool, "",
        tuple(sorted(usual))[:_SHOWN], here, None, "",
        f"{call.tool} was called from the {what} {here or '(unknown)'}, "
        "which is not one that runs came from.",
    )  # fmt: skip


def advisory(call: Observation, code: Code, here: str, usual: int) -> Finding:
    """Explain that a call comes at an unusual hour or rate."""
    said = {
        Code.UNUSUAL_HOUR: f"No run began near hour {here} of the week; they began in "
        f"{usual} others.",
        Code.UNUSUAL_RATE: f"{here} calls came within a minute, and never over {usual}.",
    }
    return Finding(
        BaselineLayer.ENVELOPE, code, Effect.ASK, call.tool, "", (str(usual),), here,
        None, "", said[code],
    )  # fmt: skip
