"""Judgement of one value of a call by its origin (layers L2 and L3).

| value | explained by | becomes |
|---|---|---|
| any | the person's request, an owner's table, a signed acceptance | allowed |
| sensitive | a firm constant, a firm edge from a trusted field | allowed |
| sensitive | an edge seen in few runs | provisional |
| sensitive | untrusted text | denied, unless that value is signed |
| sensitive | nothing | denied or asked, as the profile says |
| other | a rule of the profile | allowed |
| other | untrusted text by an unlearned edge | denied |
| other | anything else new | asked |
"""

from collections.abc import Iterator

from answerable.baseline import findings
from answerable.baseline.profile_index import Held, Sink
from answerable.model.baseline import Stance, Tables, Unexplained, Untrusted
from answerable.model.baseline_assessment import Code, Finding
from answerable.model.behaviour import (
    EntityKind,
    Observation,
    Origin,
    OriginKind,
    Value,
)
from answerable.model.decision import Effect

_EXPLAINED = frozenset({OriginKind.REQUEST, OriginKind.TABLE})
_OF_NEW = frozenset({Code.NEW_FLOW, Code.NEW_RESOURCE})
_ORDER = (Effect.ALLOW, Effect.ASK, Effect.DENY)
_Found = tuple[Code, Effect, Origin | None]


def of_value(
    held: Held, call: Observation, value: Value, is_new: bool
) -> Finding | None:
    """Judge one value; None if the profile holds it.

    Args:
        is_new: The tool is new, which L1 reports already.
    """
    if held.accepts(call.tool, value):
        return None
    if any(origin.kind in _EXPLAINED for origin in value.origins):
        return None
    sink = held.sink(call.tool, value.path)
    stance = held.profile.stance
    if value.sensitive:
        ways = list(_sensitive(held, sink, value))
    elif held.is_cold or _is_free(call, sink, value):
        return None
    else:
        ways = list(_other(stance, sink, value))
    code, effect, origin = min(ways, key=lambda way: _ORDER.index(way[1]))
    if effect is Effect.ALLOW and value.tabled and stance.tables is Tables.REQUIRE:
        code, effect = Code.NOT_IN_TABLE, Effect.ASK
        origin = next(iter(value.origins), None)
    # Where L1 says as much of the tool, nothing more is said of what came with it.
    said = (
        is_new and code in _OF_NEW and _ORDER.index(effect) <= _ORDER.index(stance.new)
    )
    if effect is Effect.ALLOW or said:
        return None
    return findings.flow(sink, call, value, code, effect, origin)


_HELD: _Found = (Code.NEW_FLOW, Effect.ALLOW, None)


def _sensitive(held: Held, sink: Sink, value: Value) -> Iterator[_Found]:
    """Yield the outcome for each rule that could hold a sensitive value."""
    stance = held.profile.stance
    entity = sink.entity(value)
    if entity is not None:
        yield _firmly(entity.firm, stance, None)
    for origin in value.origins:
        edge = sink.edge(value, origin)
        if origin.trusted:
            if held.is_cold:
                yield _HELD
            elif edge is None:
                # Never seen is no better than seldom seen.
                effects = (stance.new, stance.provisional)
                yield Code.NEW_FLOW, max(effects, key=_ORDER.index), origin
            else:
                yield _firmly(edge.firm, stance, origin)
        elif edge is not None and stance.untrusted is Untrusted.LEARNED:
            yield _firmly(edge.firm, stance, origin)
        else:
            yield Code.UNTRUSTED_FLOW, Effect.DENY, origin
    if not value.origins:
        yield _unexplained(sink, stance)


def _firmly(firm: bool, stance: Stance, origin: Origin | None) -> _Found:
    return _HELD if firm else (Code.PROVISIONAL, stance.provisional, origin)


def _unexplained(sink: Sink, stance: Stance) -> _Found:
    if stance.unexplained is Unexplained.LEARNED and True in sink.own:
        return _firmly(sink.own[True].firm, stance, None)
    asks = stance.unexplained is Unexplained.ASK
    return Code.UNEXPLAINED, Effect.ASK if asks else Effect.DENY, None


def _is_free(call: Observation, sink: Sink, value: Value) -> bool:
    """Tell whether a value is the agent's free text, which no rule covers."""
    if value.kind is not EntityKind.NAME:
        return False
    return not call.is_write or bool(sink.own)


def _other(stance: Stance, sink: Sink, value: Value) -> Iterator[_Found]:
    if sink.entity(value) is not None:
        yield _HELD
    for origin in value.origins:
        if sink.edge(value, origin) is not None:
            yield _HELD
        elif origin.trusted:
            yield Code.NEW_FLOW, stance.new, origin
        else:
            yield Code.UNTRUSTED_FLOW, Effect.DENY, origin
    if not value.origins:
        is_name = value.kind is EntityKind.NAME
        yield (Code.NEW_FLOW if is_name else Code.NEW_RESOURCE), stance.new, None
