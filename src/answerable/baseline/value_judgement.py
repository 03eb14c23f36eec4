"""Judge one argument value of a call by its origin (layers L2 and L3).

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

from answerable.baseline import deviation_explanations
from answerable.baseline.profile_index import ArgumentRules, ProfileIndex
from answerable.model.baseline import (
    ReferenceTablePolicy,
    Strictness,
    UnexplainedEntityPolicy,
    UntrustedTextPolicy,
)
from answerable.model.baseline_assessment import BaselineDeviation, DeviationCode
from answerable.model.behaviour import (
    ArgumentValue,
    CallObservation,
    EntityKind,
    OriginKind,
    ValueOrigin,
)
from answerable.model.decision import DecisionEffect

_EXPLAINED = frozenset({OriginKind.REQUEST, OriginKind.TABLE})
_NEW_TOOL_CODES = frozenset({DeviationCode.NEW_FLOW, DeviationCode.NEW_RESOURCE})
_ORDER = (DecisionEffect.ALLOW, DecisionEffect.ASK, DecisionEffect.DENY)
_Outcome = tuple[DeviationCode, DecisionEffect, ValueOrigin | None]


def judge_argument_value(
    profile_index: ProfileIndex,
    call: CallObservation,
    value: ArgumentValue,
    is_new: bool,
) -> BaselineDeviation | None:
    """Judge one value; return None if the profile allows it.

    Args:
        is_new: The tool is new, which L1 reports already.
    """
    if profile_index.is_accepted_by_owner(call.tool, value):
        return None
    if any(origin.kind in _EXPLAINED for origin in value.origins):
        return None
    sink = profile_index.get_argument_rules(call.tool, value.path)
    stance = profile_index.profile.stance
    if value.sensitive:
        ways = list(_list_sensitive_outcomes(profile_index, sink, value))
    elif profile_index.is_empty or _is_free_text(call, sink, value):
        return None
    else:
        ways = list(_list_value_rule_outcomes(stance, sink, value))
    code, effect, origin = min(ways, key=lambda way: _ORDER.index(way[1]))
    if (
        effect is DecisionEffect.ALLOW
        and value.tabled
        and stance.tables is ReferenceTablePolicy.REQUIRE
    ):
        code, effect = DeviationCode.NOT_IN_TABLE, DecisionEffect.ASK
        origin = next(iter(value.origins), None)
    # Where L1 says as much of the tool, nothing more is said of what came with it.
    said = (
        is_new
        and code in _NEW_TOOL_CODES
        and _ORDER.index(effect) <= _ORDER.index(stance.new)
    )
    if effect is DecisionEffect.ALLOW or said:
        return None
    return deviation_explanations.explain_unexpected_value(
        sink, call, value, code, effect, origin
    )


_ALLOWED: _Outcome = (DeviationCode.NEW_FLOW, DecisionEffect.ALLOW, None)


def _list_sensitive_outcomes(
    profile_index: ProfileIndex, argument_rules: ArgumentRules, value: ArgumentValue
) -> Iterator[_Outcome]:
    """Yield the outcome of each rule that may allow a sensitive value."""
    stance = profile_index.profile.stance
    entity = argument_rules.find_entity_rule(value)
    if entity is not None:
        yield _get_rule_outcome(entity.firm, stance, None)
    for origin in value.origins:
        edge = argument_rules.find_flow_rule(value, origin)
        if origin.trusted:
            if profile_index.is_empty:
                yield _ALLOWED
            elif edge is None:
                # Never seen is no better than seldom seen.
                effects = (stance.new, stance.provisional)
                yield DeviationCode.NEW_FLOW, max(effects, key=_ORDER.index), origin
            else:
                yield _get_rule_outcome(edge.firm, stance, origin)
        elif edge is not None and stance.untrusted is UntrustedTextPolicy.LEARNED:
            yield _get_rule_outcome(edge.firm, stance, origin)
        else:
            yield DeviationCode.UNTRUSTED_FLOW, DecisionEffect.DENY, origin
    if not value.origins:
        yield _get_unexplained_outcome(argument_rules, stance)


def _get_rule_outcome(
    firm: bool, strictness: Strictness, origin: ValueOrigin | None
) -> _Outcome:
    """Return the outcome of a rule: allowed if firm, else provisional."""
    return (
        _ALLOWED
        if firm
        else (DeviationCode.PROVISIONAL, strictness.provisional, origin)
    )


def _get_unexplained_outcome(
    argument_rules: ArgumentRules, strictness: Strictness
) -> _Outcome:
    """Return the outcome for a sensitive value of unknown origin."""
    if (
        strictness.unexplained is UnexplainedEntityPolicy.LEARNED
        and True in argument_rules.own
    ):
        return _get_rule_outcome(argument_rules.own[True].firm, strictness, None)
    asks = strictness.unexplained is UnexplainedEntityPolicy.ASK
    return (
        DeviationCode.UNEXPLAINED,
        DecisionEffect.ASK if asks else DecisionEffect.DENY,
        None,
    )


def _is_free_text(
    call: CallObservation, argument_rules: ArgumentRules, value: ArgumentValue
) -> bool:
    """Return whether a value is the agent's free text, which no rule covers."""
    if value.kind is not EntityKind.NAME:
        return False
    return not call.is_write or bool(argument_rules.own)


def _list_value_rule_outcomes(
    strictness: Strictness, argument_rules: ArgumentRules, value: ArgumentValue
) -> Iterator[_Outcome]:
    """Yield the outcome of each rule about the value itself and its origins."""
    if argument_rules.find_entity_rule(value) is not None:
        yield _ALLOWED
    for origin in value.origins:
        if argument_rules.find_flow_rule(value, origin) is not None:
            yield _ALLOWED
        elif origin.trusted:
            yield DeviationCode.NEW_FLOW, strictness.new, origin
        else:
            yield DeviationCode.UNTRUSTED_FLOW, DecisionEffect.DENY, origin
    if not value.origins:
        is_name = value.kind is EntityKind.NAME
        yield (
            (DeviationCode.NEW_FLOW if is_name else DeviationCode.NEW_RESOURCE),
            strictness.new,
            None,
        )
