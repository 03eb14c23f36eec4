"""Find the identities that may set or remove a tag by a call of their own.

Source of the calls: `tagging_actions.py`. Each is evaluated like any other request,
with the tag it would carry.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import NamedTuple

from answerable.model.documents.shared_shapes import ConditionItem
from answerable.model.ids import IdentityId
from answerable.model.policy import ConditionClause, PolicyEffect
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    is_role,
    is_root_user,
)
from answerable.reach.aws.condition_keys.tagging_actions import (
    get_resource_type_noun,
    get_untagging_action,
    list_tagging_actions,
)
from answerable.reach.aws.evaluation.conditions import evaluate_condition_line
from answerable.reach.aws.evaluation.context_keys import (
    ContextKeys,
    has_policy_variable,
    resolve_policy_variables,
    unescape_pattern_colons,
)
from answerable.reach.aws.evaluation.evaluate_principal import (
    evaluate_request_condition,
    find_policy_of_requested_resource,
)
from answerable.reach.aws.evaluation.request import AwsRequest
from answerable.reach.aws.evaluation.resource_policies import requires_resource_policy
from answerable.reach.aws.evaluation.single_request import is_owner_only_call
from answerable.reach.aws.patterns.glob_matching import (
    ANY_CHARACTER,
    ANY_TEXT,
    decode_glob,
)
from answerable.reach.condition_formula import (
    FALSE,
    Formula,
    Verdict,
    conjoin,
    disjoin,
    get_verdict,
)

_MAX_VALUES = 4
_OTHER_VALUE = "any other value"


class WantedTag(NamedTuple):
    """Tag values that satisfy a condition.

    Attributes:
        tag: Key of the tag, as written.
        values: Values that satisfy it; None for one that cannot be derived.
        absent: Whether an absent tag satisfies it.
    """

    tag: str
    values: tuple[str | None, ...]
    absent: bool


class TaggingStep(NamedTuple):
    """Calls that together set a tag on one resource."""

    calls: tuple[str, ...]
    resource: str
    wish: WantedTag


@dataclass(frozen=True, slots=True)
class TagSetters:
    """Identities that may set a tag.

    Attributes:
        sure: Identities that may, unconditionally.
        maybe: Identities that may under conditions.
        calls: By identity, the call it may make.
        what: Noun for the tagged resource.
        root: Whether a root user may; root users are not listed.
    """

    sure: tuple[IdentityId, ...]
    maybe: tuple[IdentityId, ...]
    calls: dict[IdentityId, str]
    what: str
    root: bool = False


def list_resource_tagging_steps(
    key: str, resource: str, wanted_tag: WantedTag
) -> tuple[TaggingStep, ...]:
    """List the ways to set the tag that a key names on a resource."""
    holder, calls = list_tagging_actions(key, resource)
    return _build_tagging_steps(calls, holder, wanted_tag)


def list_principal_tagging_steps(
    principal: CompiledPrincipal, wanted_tag: WantedTag
) -> tuple[TaggingStep, ...]:
    """List the ways to tag an identity; of a role also its session."""
    steps = list_resource_tagging_steps("aws:ResourceTag/", principal.id, wanted_tag)
    if is_role(principal.identity):
        plain = WantedTag(wanted_tag.tag, wanted_tag.values, absent=False)
        steps += (
            TaggingStep(("sts:AssumeRole", "sts:TagSession"), principal.id, plain),
        )
    return steps


def _build_tagging_steps(
    calls: Iterable[str], resource: str, wanted_tag: WantedTag
) -> tuple[TaggingStep, ...]:
    """Build a step per tagging call, and per untagging call if wanted."""
    steps = []
    for call in calls:
        if wanted_tag.values:
            steps.append(TaggingStep((call,), resource, wanted_tag))
        if wanted_tag.absent:
            taking = WantedTag(wanted_tag.tag, (), absent=True)
            steps.append(TaggingStep((get_untagging_action(call),), resource, taking))
    return tuple(steps)


def derive_satisfying_tag_values(
    condition: ConditionItem, known_keys: ContextKeys
) -> WantedTag:
    """Derive which tag values would satisfy a condition."""
    values = tuple(condition["values"])
    clause = ConditionClause(condition["operator"], condition["key"], values)
    wanted = not condition["negated"]

    def holds(*request_value: str) -> bool | None:
        found = evaluate_condition_line(
            clause,
            ContextKeys({clause.key.lower(): request_value}).merge_over(known_keys),
        )
        return None if found is None else found is wanted

    tag = clause.key.partition("/")[2]
    absent = holds() is True
    other = holds(_OTHER_VALUE)
    if other or (other is None and _contains_policy_variable(clause)):
        return WantedTag(tag, (None,), absent)
    some = values[:_MAX_VALUES]
    tried = dict.fromkeys(
        _choose_value_matching_pattern(v, known_keys, wildcards=w)
        for v in some
        for w in (False, True)
    )
    return WantedTag(tag, tuple(value for value in tried if holds(value)), absent)


def _contains_policy_variable(condition: ConditionClause) -> bool:
    """Return whether a condition's value contains a policy variable."""
    variable = any(has_policy_variable(value) for value in condition.values)
    return variable or condition.operator == "PolicyVariable"


def _choose_value_matching_pattern(
    pattern_text: str, known_keys: ContextKeys, *, wildcards: bool
) -> str:
    """Choose one value that a pattern with wildcards may match."""
    pattern = unescape_pattern_colons(
        resolve_policy_variables(pattern_text, known_keys, wildcards=wildcards).pattern
    )
    return decode_glob(pattern.replace(ANY_TEXT, "").replace(ANY_CHARACTER, "a"))


def find_tag_setters(
    accounts: CompiledAccounts, steps: tuple[TaggingStep, ...]
) -> TagSetters:
    """Find the identities that may by themselves take any of some tagging steps."""
    sure: list[IdentityId] = []
    maybe: list[IdentityId] = []
    calls: dict[IdentityId, str] = {}
    root = False
    prepared = [
        (" and ".join(step.calls), _build_tagging_requests(accounts, step))
        for step in steps
    ]
    for principal in _list_possible_tagging_callers(accounts, prepared):
        found, call = _evaluate_tagging_steps(accounts, principal, prepared)
        if found is Verdict.NEVER:
            continue
        if is_root_user(principal.identity):
            root = True
            continue
        calls[principal.id] = call
        (sure if found is Verdict.ALWAYS else maybe).append(principal.id)
    return TagSetters(
        tuple(sure),
        tuple(maybe),
        calls,
        get_resource_type_noun(steps[0].resource),
        root,
    )


class PreparedRequest(NamedTuple):
    """Request, and whether the resource policy alone might allow it."""

    request: AwsRequest
    granted: bool


_RequestWays = list[list[PreparedRequest]]  # alternatives; each needs all of its calls


def _list_possible_tagging_callers(
    accounts: CompiledAccounts, prepared: Iterable[tuple[str, _RequestWays]]
) -> Iterator[CompiledPrincipal]:
    """List the principals that could make the first call of some alternative."""
    from answerable.reach.aws.candidate_callers import list_candidate_callers_of_request

    able_each = (
        list_candidate_callers_of_request(accounts, way[0].request)
        for _, ways in prepared
        for way in ways
        if way
    )
    for pair, _ in groupby(merge(*able_each)):
        yield accounts.principals[pair[1]]


def _build_tagging_requests(
    accounts: CompiledAccounts, step: TaggingStep
) -> _RequestWays:
    """Build the requests of a step, one alternative for each wanted value."""
    if not all(
        accounts.can_action_act_on_resource(call, step.resource) for call in step.calls
    ):
        return []
    tag, values = step.wish.tag, step.wish.values
    carried = [_build_tagging_condition_keys(tag, value) for value in values] or [
        _build_untagging_condition_keys(tag)
    ]
    return [
        [
            prepare_request_for_all_principals(accounts, call, step.resource, known)
            for call in step.calls
        ]
        for known in carried
    ]


def prepare_request_for_all_principals(
    accounts: CompiledAccounts, action: str, resource: str, known_keys: ContextKeys
) -> PreparedRequest:
    """Build a request once, for evaluation with every principal."""
    request = accounts.build_hop_request(action, resource, known_keys)
    own = find_policy_of_requested_resource(accounts, request)
    if own is None:
        return PreparedRequest(request, requires_resource_policy(request))
    allows = (
        g.clause.effect is PolicyEffect.ALLOW
        for g in own.select_statements(request.action)
    )
    return PreparedRequest(request, bool(own.gaps) or any(allows))


def _evaluate_tagging_steps(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    prepared: Sequence[tuple[str, _RequestWays]],
) -> tuple[Verdict, str]:
    """Return a principal's best verdict over the steps, and its call."""
    best, by = Verdict.NEVER, ""
    for call, ways in prepared:
        each = (
            conjoin(*(evaluate_prepared_request(accounts, principal, c) for c in way))
            for way in ways
        )
        found = get_verdict(disjoin(*each))
        if found is Verdict.ALWAYS:
            return found, call
        if found is Verdict.ONLY_IF and best is Verdict.NEVER:
            best, by = found, call
    return best, by


def evaluate_prepared_request(
    accounts: CompiledAccounts, principal: CompiledPrincipal, prepared: PreparedRequest
) -> Formula:
    """Return the condition under which a principal may make a tagging request."""
    action, resource = prepared.request.action, prepared.request.resource
    silent = not (principal.gaps or principal.select_statements(action).allows)
    if (silent and not prepared.granted) or is_owner_only_call(
        accounts, principal.identity.account, action, resource
    ):
        return FALSE
    return evaluate_request_condition(accounts, principal, prepared.request)


def _build_tagging_condition_keys(tag: str, value: str | None) -> ContextKeys:
    """Build the condition keys of a call that sets a tag."""
    folded = tag.lower()
    values = {"aws:tagkeys": (tag,), "s3:requestobjecttagkeys": (tag,)}
    if value is not None:
        values[f"aws:requesttag/{folded}"] = (value,)
        values[f"s3:requestobjecttag/{folded}"] = (value,)
    return ContextKeys(values)


def _build_untagging_condition_keys(tag: str) -> ContextKeys:
    """Build the condition keys of a call that removes a tag."""
    return ContextKeys(
        {"aws:tagkeys": (tag,)}, ("aws:requesttag/", "s3:requestobjecttag")
    )
