"""Effects of a statement: the actors and resources it applies to, in bitsets."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from answerable.model.policy import ConditionClause
from answerable.reach.aws.bulk.bitset import EMPTY_BOUNDS, ArnIndex, BitsetBounds
from answerable.reach.aws.bulk.partition import (
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
    has_variable,
    resolve_variables,
)
from answerable.reach.aws.patterns.arns import split_pattern
from answerable.reach.formula import FALSE, TRUE, Formula

_ONE_VARIABLE = re.compile(r"\$\{([^}*?$,]+)\}")
ConditionLines = tuple[ConditionClause, ...]
KeyValues = tuple[tuple[str, ...] | None, ...]


class CallResources:
    """Resources that calls may name, with the condition keys known for each."""

    def __init__(self, texts: ArnIndex, knowns: list[ContextKeys]) -> None:
        self.texts = texts
        self.is_kms = all(":kms:" in text for text in texts.texts)
        self.cells = KeyPartition(knowns)


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


def apply_statement(
    clause: CompiledStatement,
    space: CallResources,
    known: ContextKeys,
    index: StatementIndex,
    actors: int,
) -> Iterable[StatementEffect]:
    """Yield the effects of a statement on the resources of a space, for some actors."""
    if not actors:
        return []
    if clause.static:
        plane = _match_resources(clause, space.texts, known)
        return [StatementEffect(actors, plane)] if plane.maybe else []
    mine, others = split_actor_lines(clause, index, known)
    theirs, others = _split_resource_lines(others, space, known)
    keys = list_condition_keys(clause, others)
    stated = tuple(known.get(key) for key in keys)
    memo = clause, space, actors, stated, others
    found = index.parts.get(memo)
    if found is None:
        limits = _evaluate_resource_lines(theirs, space)
        about = others, keys, known, stated
        found = index.parts[memo] = [
            part
            for group in _group_actors_by_keys(mine, keys, index, actors)
            if (
                part := _apply_to_group(clause, space, index, about, group, limits)
            ).plane.maybe
        ]
    return found


_EvaluationInputs = tuple[ConditionLines, tuple[str, ...], ContextKeys, KeyValues]


def _split_resource_lines(
    others: ConditionLines, space: CallResources, known: ContextKeys
) -> tuple[ConditionLines, ConditionLines]:
    """Split lines into those about the resource alone, and others."""
    theirs = tuple(
        line for line in others if _depends_on_own_keys(line, space.cells, known)
    )
    if not theirs:
        return theirs, others
    return theirs, tuple(line for line in others if line not in theirs)


def _evaluate_resource_lines(
    lines: ConditionLines, space: CallResources
) -> BitsetBounds:
    """Return the resources for which all lines about them hold."""
    found = BitsetBounds(space.texts.all, space.texts.all)
    for line in lines:
        found &= space.cells.find_members_where(line)
    return found


def _apply_to_group(
    clause: CompiledStatement,
    space: CallResources,
    index: StatementIndex,
    stated_of: _EvaluationInputs,
    group: ActorGroup,
    limits: BitsetBounds,
) -> StatementEffect:
    others, keys, known, stated = stated_of
    plane, odd = EMPTY_BOUNDS, 0
    for there in _partition_resources(space.cells, others, keys, known, group.known):
        about = known.merge_over(there.known).merge_over(group.known)
        if space.is_kms and KMS_CALLER_ACCOUNT in keys:
            about = _get_kms_caller(group.known).merge_over(about)
        held = _evaluate_lines(
            others, about, index, (space, group.known, there.known, stated)
        )
        here, strange = _match_statement(clause, held, space.texts, about)
        plane |= here.restrict_to(there.members)
        odd |= strange & there.members
    plane &= limits
    if group.is_open:
        plane = BitsetBounds(0, plane.maybe)
    return StatementEffect(group.actors, plane, odd & plane.maybe)


def _partition_resources(
    cells: KeyPartition,
    lines: ConditionLines,
    keys: tuple[str, ...],
    stated: ContextKeys,
    mine: ContextKeys,
) -> list[PartitionCell]:
    """Split resources by keys; leave out cells for which a line is known not to hold.

    Conditions often compare tags of actor and resource; most pairs differ.
    """
    for line in lines:
        match = _ONE_VARIABLE.fullmatch(line.values[0]) if line.values else None
        if not match or len(line.values) > 1 or line.operator.lower() != "stringequals":
            continue
        key, variable = line.key.lower(), match[1].strip().lower()
        if KMS_CALLER_ACCOUNT in (key, variable) or cells.knows_key(variable):
            continue
        if stated.get(key) is None and stated.get(variable) is None:
            wanted = mine.get(variable)
            if wanted and len(wanted) == 1:
                return cells.split_matching_value(keys, key, wanted[0])
    return cells.split_by_keys(keys)


def _get_kms_caller(known: ContextKeys) -> ContextKeys:
    account = known.get("aws:principalaccount")
    return NO_KEYS if account is None else ContextKeys({KMS_CALLER_ACCOUNT: account})


def _evaluate_lines(
    lines: ConditionLines,
    about: ContextKeys,
    index: StatementIndex,
    key: tuple[object, ...],
) -> Formula:
    """Evaluate lines of a condition; cached, since statements often share them."""
    space, mine, there, stated = key
    memo = lines, space, id(mine), id(there), stated
    found = index.held.get(memo)
    if found is None:
        found = index.held[memo] = evaluate_block(lines, about)
    return found


def group_actors(
    clause: CompiledStatement, index: StatementIndex, known: ContextKeys, actors: int
) -> Iterator[ActorGroup]:
    """Group the actors that a statement may apply to by its meaning for them."""
    about_them, others = split_actor_lines(clause, index, known)
    return _group_actors_by_keys(
        about_them, list_condition_keys(clause, others), index, actors
    )


def _group_actors_by_keys(
    lines: ConditionLines, keys: tuple[str, ...], index: StatementIndex, actors: int
) -> Iterator[ActorGroup]:
    """Group actors for which lines may hold, by the values of keys."""
    open_ = 0
    for line in lines:
        held = index.evaluate_condition_line(line)
        actors &= held.maybe
        open_ |= held.maybe & ~held.sure
    for cell in index.split_by_keys(keys) if actors else ():
        here = cell.members & actors
        if here:
            for members, is_open in ((here & ~open_, False), (here & open_, True)):
                if members:
                    yield ActorGroup(members, cell.known, is_open)
            actors ^= here  # cells are disjoint
            if not actors:
                return


def split_actor_lines(
    clause: CompiledStatement, index: StatementIndex, known: ContextKeys
) -> tuple[ConditionLines, ConditionLines]:
    """Split a condition into lines about the actor alone, and all others."""
    mine: list[ConditionClause] = []
    others: list[ConditionClause] = []
    for line in clause.conditions:
        (mine if _depends_on_own_keys(line, index, known) else others).append(line)
    return tuple(mine), tuple(others)


class _KnownKeys(Protocol):
    """Actors or resources for which some condition keys are known."""

    def knows_key(self, key: str) -> bool: ...


def _depends_on_own_keys(
    line: ConditionClause, things: _KnownKeys, known: ContextKeys
) -> bool:
    """Tell whether a line depends on keys of `things` alone."""
    key = line.key.lower()
    if not things.knows_key(key) or known.get(key) is not None:
        return False
    return not any(map(has_variable, line.values))


def _match_statement(
    clause: CompiledStatement, held: Formula, texts: ArnIndex, known: ContextKeys
) -> tuple[BitsetBounds, int]:
    if held == FALSE:
        return EMPTY_BOUNDS, 0
    plane = _match_resources(clause, texts, known)
    odd = plane.maybe & ~plane.sure if clause.not_resources else 0
    return (plane if held == TRUE else BitsetBounds(0, plane.maybe)), odd


def _match_resources(
    clause: CompiledStatement, texts: ArnIndex, known: ContextKeys
) -> BitsetBounds:
    sure = maybe = 0
    if clause.parts:
        for parts in clause.parts:
            sure |= texts.find_matches(parts)
        maybe = sure
    else:
        for written in clause.resources or clause.not_resources:
            resolved = resolve_variables(written, known)
            if not resolved.void:
                hit = texts.find_matches(split_pattern(resolved.pattern))
                maybe |= hit
                sure |= 0 if resolved.unknown else hit
    if clause.not_resources:
        return BitsetBounds(texts.all & ~maybe, texts.all & ~sure)
    return (
        BitsetBounds(sure, maybe)
        if clause.resources
        else BitsetBounds(texts.all, texts.all)
    )
