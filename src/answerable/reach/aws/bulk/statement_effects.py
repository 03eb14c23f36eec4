"""Find the principals and resources that a policy statement applies to, in bitsets."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from answerable.model.policy import ConditionClause
from answerable.reach.aws.bulk.bitset import EMPTY_BOUNDS, ArnIndex, BitsetBounds
from answerable.reach.aws.bulk.key_partition import (
    KMS_CALLER_ACCOUNT,
    KeyPartition,
    PartitionCell,
    list_condition_keys,
)
from answerable.reach.aws.bulk.statement_index import StatementEffect, StatementIndex
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.conditions import evaluate_block
from answerable.reach.aws.evaluation.context_keys import (
    NO_KEYS,
    ContextKeys,
    has_policy_variable,
    resolve_policy_variables,
)
from answerable.reach.aws.patterns.arn_matching import split_glob_arn
from answerable.reach.condition_formula import FALSE, TRUE, Formula

_ONE_VARIABLE = re.compile(r"\$\{([^}*?$,]+)\}")
ConditionLines = tuple[ConditionClause, ...]
KeyValues = tuple[tuple[str, ...] | None, ...]


class CallResources:
    """Resources that calls may name, with the condition keys known for each."""

    def __init__(self, arns: ArnIndex, known_keys: list[ContextKeys]) -> None:
        self.texts = arns
        self.is_kms = all(":kms:" in text for text in arns.texts)
        self.cells = KeyPartition(known_keys)


class ActorGroup(NamedTuple):
    """Actors for which a statement has one meaning.

    Attributes:
        actors: The actors, as a bitset.
        known: Known keys of the actors that the statement depends on.
        is_open: Whether a condition line about the actor is undecided.
    """

    actors: int
    known: ContextKeys
    is_open: bool


def list_statement_effects(
    statement: CompiledStatement,
    resources: CallResources,
    known_keys: ContextKeys,
    index: StatementIndex,
    actors: int,
) -> Iterable[StatementEffect]:
    """Yield a statement's effects: principals, and the resources it applies to."""
    if not actors:
        return []
    if statement.static:
        plane = _match_resource_element(statement, resources.texts, known_keys)
        return [StatementEffect(actors, plane)] if plane.maybe else []
    mine, others = split_principal_conditions(statement, index, known_keys)
    theirs, others = _split_resource_conditions(others, resources, known_keys)
    keys = list_condition_keys(statement, others)
    stated = tuple(known_keys.get_key_values(key) for key in keys)
    memo = statement, resources, actors, stated, others
    found = index.parts.get(memo)
    if found is None:
        limits = _evaluate_resource_conditions(theirs, resources)
        about = others, keys, known_keys, stated
        found = index.parts[memo] = [
            part
            for group in _group_principals_by_condition_keys(mine, keys, index, actors)
            if (
                part := _apply_statement_to_group(
                    statement, resources, index, about, group, limits
                )
            ).plane.maybe
        ]
    return found


_EvaluationInputs = tuple[ConditionLines, tuple[str, ...], ContextKeys, KeyValues]


def _split_resource_conditions(
    conditions: ConditionLines, resources: CallResources, known_keys: ContextKeys
) -> tuple[ConditionLines, ConditionLines]:
    """Split conditions into those about the resource alone, and others."""
    theirs = tuple(
        line
        for line in conditions
        if _depends_only_on_known_keys(line, resources.cells, known_keys)
    )
    if not theirs:
        return theirs, conditions
    return theirs, tuple(line for line in conditions if line not in theirs)


def _evaluate_resource_conditions(
    conditions: ConditionLines, resources: CallResources
) -> BitsetBounds:
    """Return the resources for which all conditions about them hold."""
    found = BitsetBounds(resources.texts.all, resources.texts.all)
    for line in conditions:
        found &= resources.cells.find_members_where(line)
    return found


def _apply_statement_to_group(
    statement: CompiledStatement,
    resources: CallResources,
    index: StatementIndex,
    inputs: _EvaluationInputs,
    group: ActorGroup,
    resource_bounds: BitsetBounds,
) -> StatementEffect:
    """Return a statement's effect for one group of principals, on all resources."""
    others, keys, known, stated = inputs
    plane, odd = EMPTY_BOUNDS, 0
    for there in _split_resources_by_condition_keys(
        resources.cells, others, keys, known, group.known
    ):
        about = known.merge_over(there.known).merge_over(group.known)
        if resources.is_kms and KMS_CALLER_ACCOUNT in keys:
            about = _build_kms_caller_account_key(group.known).merge_over(about)
        held = _evaluate_conditions_cached(
            others, about, index, (resources, group.known, there.known, stated)
        )
        here, strange = _match_statement_to_resources(
            statement, held, resources.texts, about
        )
        plane |= here.restrict_to(there.members)
        odd |= strange & there.members
    plane &= resource_bounds
    if group.is_open:
        plane = BitsetBounds(0, plane.maybe)
    return StatementEffect(group.actors, plane, odd & plane.maybe)


def _split_resources_by_condition_keys(
    cells: KeyPartition,
    conditions: ConditionLines,
    keys: tuple[str, ...],
    stated_keys: ContextKeys,
    actor_keys: ContextKeys,
) -> list[PartitionCell]:
    """Split resources by condition keys; omit cells where a condition fails.

    Conditions often compare tags of actor and resource; most pairs differ.
    """
    for line in conditions:
        match = _ONE_VARIABLE.fullmatch(line.values[0]) if line.values else None
        if not match or len(line.values) > 1 or line.operator.lower() != "stringequals":
            continue
        key, variable = line.key.lower(), match[1].strip().lower()
        if KMS_CALLER_ACCOUNT in (key, variable) or cells.knows_condition_key(variable):
            continue
        if (
            stated_keys.get_key_values(key) is None
            and stated_keys.get_key_values(variable) is None
        ):
            wanted = actor_keys.get_key_values(variable)
            if wanted and len(wanted) == 1:
                return cells.split_members_matching_value(keys, key, wanted[0])
    return cells.split_members_by_condition_keys(keys)


def _build_kms_caller_account_key(known_keys: ContextKeys) -> ContextKeys:
    """Derive `kms:CallerAccount` from `aws:PrincipalAccount`; empty if unknown."""
    account = known_keys.get_key_values("aws:principalaccount")
    return NO_KEYS if account is None else ContextKeys({KMS_CALLER_ACCOUNT: account})


def _evaluate_conditions_cached(
    conditions: ConditionLines,
    known_keys: ContextKeys,
    index: StatementIndex,
    cache_key: tuple[object, ...],
) -> Formula:
    """Evaluate conditions; cached, since statements often share them."""
    space, mine, there, stated = cache_key
    memo = conditions, space, id(mine), id(there), stated
    found = index.held.get(memo)
    if found is None:
        found = index.held[memo] = evaluate_block(conditions, known_keys)
    return found


def group_principals_by_statement(
    statement: CompiledStatement,
    index: StatementIndex,
    known_keys: ContextKeys,
    actors: int,
) -> Iterator[ActorGroup]:
    """Group the principals to which a statement may apply by its meaning for them."""
    about_them, others = split_principal_conditions(statement, index, known_keys)
    return _group_principals_by_condition_keys(
        about_them, list_condition_keys(statement, others), index, actors
    )


def _group_principals_by_condition_keys(
    conditions: ConditionLines,
    keys: tuple[str, ...],
    index: StatementIndex,
    actors: int,
) -> Iterator[ActorGroup]:
    """Group principals for which conditions may hold, by values of condition keys."""
    open_ = 0
    for line in conditions:
        held = index.evaluate_condition_line(line)
        actors &= held.maybe
        open_ |= held.maybe & ~held.sure
    for cell in index.split_principals_by_condition_keys(keys) if actors else ():
        here = cell.members & actors
        if here:
            for members, is_open in ((here & ~open_, False), (here & open_, True)):
                if members:
                    yield ActorGroup(members, cell.known, is_open)
            actors ^= here  # cells are disjoint
            if not actors:
                return


def split_principal_conditions(
    statement: CompiledStatement, index: StatementIndex, known_keys: ContextKeys
) -> tuple[ConditionLines, ConditionLines]:
    """Split conditions into those about the principal alone, and all others."""
    mine: list[ConditionClause] = []
    others: list[ConditionClause] = []
    for line in statement.conditions:
        (
            mine if _depends_only_on_known_keys(line, index, known_keys) else others
        ).append(line)
    return tuple(mine), tuple(others)


class _KnownKeys(Protocol):
    """Actors or resources for which some condition keys are known."""

    def knows_condition_key(self, key: str) -> bool:
        """Return whether the value of a condition key is known."""


def _depends_only_on_known_keys(
    condition: ConditionClause, owners: _KnownKeys, known_keys: ContextKeys
) -> bool:
    """Return whether a condition depends only on keys that `owners` know."""
    key = condition.key.lower()
    if (
        not owners.knows_condition_key(key)
        or known_keys.get_key_values(key) is not None
    ):
        return False
    return not any(map(has_policy_variable, condition.values))


def _match_statement_to_resources(
    statement: CompiledStatement,
    condition_result: Formula,
    arns: ArnIndex,
    known_keys: ContextKeys,
) -> tuple[BitsetBounds, int]:
    """Return the resources a statement applies to, and non-monotone ones."""
    if condition_result == FALSE:
        return EMPTY_BOUNDS, 0
    plane = _match_resource_element(statement, arns, known_keys)
    odd = plane.maybe & ~plane.sure if statement.not_resources else 0
    return (plane if condition_result == TRUE else BitsetBounds(0, plane.maybe)), odd


def _match_resource_element(
    statement: CompiledStatement, arns: ArnIndex, known_keys: ContextKeys
) -> BitsetBounds:
    """Match Resource or NotResource against all ARNs, as a bitset."""
    sure = maybe = 0
    if statement.parts:
        for parts in statement.parts:
            sure |= arns.find_matching_arns(parts)
        maybe = sure
    else:
        for written in statement.resources or statement.not_resources:
            resolved = resolve_policy_variables(written, known_keys)
            if not resolved.void:
                hit = arns.find_matching_arns(split_glob_arn(resolved.pattern))
                maybe |= hit
                sure |= 0 if resolved.unknown else hit
    if statement.not_resources:
        return BitsetBounds(arns.all & ~maybe, arns.all & ~sure)
    return (
        BitsetBounds(sure, maybe)
        if statement.resources
        else BitsetBounds(arns.all, arns.all)
    )
