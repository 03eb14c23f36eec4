"""Compile policy statements; match them against actions, resources and conditions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from answerable.model.ids import PolicyId
from answerable.model.policy import ConditionClause, PolicyEffect, PolicyLayer
from answerable.reach.aws.compiled.principal_element import (
    NO_PRINCIPALS,
    PrincipalElement,
    parse_principal_element,
)
from answerable.reach.aws.evaluation.conditions import evaluate_block
from answerable.reach.aws.evaluation.context_keys import (
    ContextKeys,
    has_policy_variable,
    resolve_policy_variables,
)
from answerable.reach.aws.patterns.action_pattern_index import (
    NO_ACTIONS,
    ActionSet,
    build_action_pattern_index,
)
from answerable.reach.aws.patterns.arn_matching import (
    ANY_ARN,
    ArnParts,
    matches_arn,
    overlaps_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import encode_glob, has_no_wildcard
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
    negate,
)

if TYPE_CHECKING:
    from answerable.reach.aws.patterns.pattern_set_algebra import PatternTerm

StatementTerms = tuple[tuple["PatternTerm[str]", "PatternTerm[ArnParts]"], ...]
_PrincipalPairs = tuple[tuple[str, str], ...]


@dataclass(eq=False, slots=True)
class CompiledStatement:
    """Compiled statement, independent of the policy it is written in.

    Attributes:
        number: Position in the order of interning.
        effect: Allow or deny.
        actions: Patterns in lower case and inner form.
        not_actions: Likewise.
        resources: Patterns as written.
        not_resources: Likewise.
        conditions: As written, each key in the spelling first met.
        principals: As written.
        not_principals: As written.
        static: True without conditions and policy variables.
        wide: True if static and for every resource.
        naming: Principals that it names, or excepts.
        keys: Condition keys, in lower case, that its conditions depend on.
        action_set: Index of its actions, or of those it excepts.
        services: Prefixes of the services whose actions it matches; None for any.
        kept: Cache of evaluated conditions, by known values of its keys.
        terms: Cache of its pairs of patterns (`spans`).
    """

    number: int
    effect: PolicyEffect
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[ConditionClause, ...]
    principals: _PrincipalPairs
    not_principals: _PrincipalPairs
    static: bool = False
    parts: tuple[ArnParts, ...] = ()
    wide: bool = False
    naming: PrincipalElement = NO_PRINCIPALS
    keys: tuple[str, ...] = ()
    action_set: ActionSet = NO_ACTIONS
    services: frozenset[str] | None = None
    kept: dict[tuple[object, ...], Formula] = field(default_factory=dict)
    terms: StatementTerms | None = None
    _by_action: dict[str, bool] = field(default_factory=dict)

    @property
    def source_text(self) -> "StatementText":
        """Effect, actions, resources and conditions that this was compiled from."""
        return StatementText(
            effect=self.effect,
            actions=self.actions,
            not_actions=self.not_actions,
            resources=self.resources,
            not_resources=self.not_resources,
            conditions=self.conditions,
            principals=self.principals,
            not_principals=self.not_principals,
        )

    def matches_action(self, action: str) -> bool:
        """Return whether the statement matches an action in lower case."""
        found = self._by_action.get(action)
        if found is None:
            found = self._by_action[action] = matches_action_element(self, action)
        return found


class StatementText(NamedTuple):
    """Text of a statement, with actions in lower case and inner form."""

    effect: PolicyEffect
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[ConditionClause, ...]
    principals: _PrincipalPairs
    not_principals: _PrincipalPairs


def compile_statement(number: int, text: StatementText) -> CompiledStatement:
    """Compile the text of a statement, with parsed patterns, keys and principals."""
    patterns = text.resources or text.not_resources
    fixed = not any(has_policy_variable(p) for p in patterns)
    parts = tuple(split_glob_arn(encode_glob(p)) for p in patterns) if fixed else ()
    static = fixed and not text.conditions
    return CompiledStatement(
        number=number,
        effect=text.effect,
        actions=text.actions,
        not_actions=text.not_actions,
        resources=text.resources,
        not_resources=text.not_resources,
        conditions=text.conditions,
        principals=text.principals,
        not_principals=text.not_principals,
        static=static,
        parts=parts,
        wide=static and not text.not_resources and ANY_ARN in parts,
        naming=parse_principal_element(text.principals or text.not_principals),
        keys=_list_condition_keys(text.conditions),
        action_set=build_action_pattern_index(text.actions or text.not_actions),
        services=_list_action_services(text.actions) if text.actions else None,
    )


class PolicyStatement(NamedTuple):
    """Compiled statement with its layer, policy and statement id."""

    clause: CompiledStatement
    layer: PolicyLayer
    policy: PolicyId
    sid: str


@dataclass(frozen=True, slots=True)
class PolicyGap:
    """Policy not collected, or statement not read, that could allow or deny.

    Attributes:
        key: `answerable:unread-statement` or `answerable:uncollected-policy`.
        layer: Layer it belongs to.
        sid: Id of the statement, empty for a whole policy.
        denies: False if it could only allow.
    """

    key: str
    layer: PolicyLayer
    policy: PolicyId
    sid: str
    denies: bool = True

    @property
    def policy_and_statement_label(self) -> str:
        """Id of the policy that was not read, with its statement: `policy#Sid`."""
        return f"{self.policy}#{self.sid}" if self.sid else self.policy

    def get_open_condition(self, effect: str) -> Formula:
        """Return the condition that represents a policy that was not read."""
        if effect == "Denies" and not self.denies:
            return FALSE
        return build_atom(self.key, effect, (self.policy_and_statement_label,))


UNREAD = "answerable:unread-statement"
UNCOLLECTED = "answerable:uncollected-policy"


def matches_action_element(statement: CompiledStatement, action: str) -> bool:
    """Return whether Action or NotAction matches an action in lower case."""
    return statement.action_set.matches_action(action) != bool(statement.not_actions)


ArnComparison = Callable[[ArnParts, ArnParts], bool]


def match_resource_element(
    statement: CompiledStatement,
    resource: ArnParts,
    known_keys: ContextKeys,
    compare: ArnComparison = matches_arn,
) -> Formula:
    """Match a resource against Resource or NotResource, as a formula.

    Trust and repository policies have neither: they apply to their own resource.
    """
    if statement.not_resources:
        return negate(
            _match_any_resource_pattern(
                statement, statement.not_resources, resource, known_keys, compare
            )
        )
    if statement.resources:
        return _match_any_resource_pattern(
            statement, statement.resources, resource, known_keys, compare
        )
    return TRUE


def _match_any_resource_pattern(
    statement: CompiledStatement,
    patterns: tuple[str, ...],
    resource: ArnParts,
    known_keys: ContextKeys,
    compare: ArnComparison,
) -> Formula:
    """Match a resource against any of several patterns, as a formula."""
    if statement.parts:
        for parts in statement.parts:
            if compare(parts, resource):
                return TRUE
        return FALSE
    return disjoin(
        *(_match_resource_pattern(p, resource, known_keys, compare) for p in patterns)
    )


def _match_resource_pattern(
    pattern: str, resource: ArnParts, known_keys: ContextKeys, compare: ArnComparison
) -> Formula:
    """Match a resource against one pattern with policy variables, as a formula."""
    resolved = resolve_policy_variables(pattern, known_keys)
    if resolved.void:
        return FALSE
    if not compare(split_glob_arn(resolved.pattern), resource):
        return FALSE
    return conjoin(
        *(build_atom(k, "PolicyVariable", (pattern,)) for k in resolved.unknown)
    )


def evaluate_statement_on_resource(
    statement: CompiledStatement, resource: ArnParts, known_keys: ContextKeys
) -> Formula:
    """Build the condition under which a statement applies to a resource."""
    return _conjoin_match_with_conditions(
        statement, match_resource_element(statement, resource, known_keys), known_keys
    )


def evaluate_on_whole_pattern(
    statement: CompiledStatement, resources: ArnParts, known_keys: ContextKeys
) -> Formula:
    """Build the condition under which a statement applies to a whole pattern."""
    compare = overlaps_arn if statement.not_resources else matches_arn
    return _conjoin_match_with_conditions(
        statement,
        match_resource_element(statement, resources, known_keys, compare),
        known_keys,
    )


def evaluate_on_part_of_pattern(
    statement: CompiledStatement, resources: ArnParts, known_keys: ContextKeys
) -> Formula:
    """Build the condition under which a statement applies to part of a pattern."""
    compare = matches_arn if statement.not_resources else overlaps_arn
    return _conjoin_match_with_conditions(
        statement,
        match_resource_element(statement, resources, known_keys, compare),
        known_keys,
    )


def _conjoin_match_with_conditions(
    statement: CompiledStatement, resource_formula: Formula, known_keys: ContextKeys
) -> Formula:
    """Conjoin the resource match with the statement's conditions."""
    if not statement.conditions or not resource_formula:
        return resource_formula
    return conjoin(
        resource_formula, evaluate_statement_conditions(statement, known_keys)
    )


def evaluate_statement_conditions(
    statement: CompiledStatement, known_keys: ContextKeys
) -> Formula:
    """Evaluate a statement's conditions; cached by known values of its keys."""
    signature = tuple([known_keys.get_key_values(key) for key in statement.keys])
    found = statement.kept.get(signature)
    if found is None:
        if len(statement.kept) >= _MAX_CACHED_CONDITIONS:
            statement.kept.clear()
        found = statement.kept[signature] = evaluate_block(
            statement.conditions, known_keys
        )
    return found


_MAX_CACHED_CONDITIONS = 1 << 10


@lru_cache(maxsize=1 << 16)
def _list_condition_keys(conditions: tuple[ConditionClause, ...]) -> tuple[str, ...]:
    """List the keys of conditions, and of the variables in their values."""
    found = dict.fromkeys(condition.key.lower() for condition in conditions)
    for condition in conditions:
        for value in condition.values:
            found.update(dict.fromkeys(_list_policy_variable_keys(value)))
    return tuple(found)


def list_statement_keys(statement: CompiledStatement) -> Iterable[str]:
    """List the condition keys, in lower case, that a statement depends on."""
    if statement.parts:
        return statement.keys
    written = (*statement.resources, *statement.not_resources)
    return (
        *statement.keys,
        *(key for text in written for key in _list_policy_variable_keys(text)),
    )


def _list_policy_variable_keys(text: str) -> Iterator[str]:
    """List the keys of the policy variables in a text, in lower case."""
    for part in text.split("${")[1:]:
        inside = part.partition("}")[0].partition(",")[0]
        yield inside.strip().lower()


@lru_cache(maxsize=1 << 16)
def _list_action_services(actions: tuple[str, ...]) -> frozenset[str] | None:
    """Return the service prefixes of action patterns; None for any service."""
    found = frozenset(action.partition(":")[0] for action in actions)
    return found if all(map(has_no_wildcard, found)) else None


def select_statements(
    statements: Sequence[PolicyStatement],
    cache: dict[str, tuple[PolicyStatement, ...]],
    action: str,
) -> tuple[PolicyStatement, ...]:
    """Select the statements that match an action in lower case; cached in `cache`."""
    found = cache.get(action)
    if found is None:
        found = tuple(g for g in statements if g.clause.matches_action(action))
        cache[action] = found
    return found
