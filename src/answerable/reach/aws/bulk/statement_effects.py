"""Effects of a statement: the actors and resources it applies to, in bitsets."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from answerable.model.policy import ConditionClause
from answerable.reach.aws.bulk.bitset import NONE, Plane, Texts
from answerable.reach.aws.bulk.partition import CALLER, Cell, Cells, keys_used
from answerable.reach.aws.bulk.statement_index import Index, Part
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.conditions import evaluate
from answerable.reach.aws.evaluation.context_keys import (
    NOTHING,
    Known,
    has_variable,
    resolve,
)
from answerable.reach.aws.patterns.arns import pattern_parts
from answerable.reach.formula import FALSE, TRUE, Formula

_ONE_VARIABLE = re.compile(r"\$\{([^}*?$,]+)\}")
Lines = tuple[ConditionClause, ...]
Values = tuple[tuple[str, ...] | None, ...]


class Space:
    """Resources that calls may name, with the condition keys known for each."""

    def __init__(self, texts: Texts, knowns: list[Known]) -> None:
        self.texts = texts
        self.is_kms = all(":kms:" in text for text in texts.texts)
        self.cells = Cells(knowns)


class Group(NamedTuple):
    """Actors for which a statement has one meaning.

    Attributes:
        actors: The actors, as a bitset.
        known: Known keys of the actors that the statement depends on.
        is_open: Whether a condition line about the actor is undecided.
    """

    actors: int
    known: Known
    is_open: bool


def applying(
    clause: Clause, space: Space, known: Known, index: Index, actors: int
) -> Iterable[Part]:
    """Yield the effects of a statement on the resources of a space, for some actors."""
    if not actors:
        return []
    if clause.static:
        plane = _resources(clause, space.texts, known)
        return [Part(actors, plane)] if plane.maybe else []
    mine, others = sorted_lines(clause, index, known)
    theirs, others = _of_resources(others, space, known)
    keys = keys_used(clause, others)
    stated = tuple(known.get(key) for key in keys)
    memo = clause, space, actors, stated, others
    found = index.parts.get(memo)
    if found is None:
        limits = _holding(theirs, space)
        about = others, keys, known, stated
        found = index.parts[memo] = [
            part
            for group in _grouped(mine, keys, index, actors)
            if (part := _part(clause, space, index, about, group, limits)).plane.maybe
        ]
    return found


_About = tuple[Lines, tuple[str, ...], Known, Values]


def _of_resources(others: Lines, space: Space, known: Known) -> tuple[Lines, Lines]:
    """Split lines into those about the resource alone, and others."""
    theirs = tuple(line for line in others if _is_alone(line, space.cells, known))
    if not theirs:
        return theirs, others
    return theirs, tuple(line for line in others if line not in theirs)


def _holding(lines: Lines, space: Space) -> Plane:
    """Return the resources for which all lines about them hold."""
    found = Plane(space.texts.all, space.texts.all)
    for line in lines:
        found &= space.cells.holding(line)
    return found


def _part(
    clause: Clause,
    space: Space,
    index: Index,
    stated_of: _About,
    group: Group,
    limits: Plane,
) -> Part:
    others, keys, known, stated = stated_of
    plane, odd = NONE, 0
    for there in _places(space.cells, others, keys, known, group.known):
        about = known.over(there.known).over(group.known)
        if space.is_kms and CALLER in keys:
            about = _calling(group.known).over(about)
        held = _held(others, about, index, (space, group.known, there.known, stated))
        here, strange = _applying(clause, held, space.texts, about)
        plane |= here.within(there.members)
        odd |= strange & there.members
    plane &= limits
    if group.is_open:
        plane = Plane(0, plane.maybe)
    return Part(group.actors, plane, odd & plane.maybe)


def _places(
    cells: Cells, lines: Lines, keys: tuple[str, ...], stated: Known, mine: Known
) -> list[Cell]:
    """Split resources by keys; leave out cells for which a line is known not to hold.

    Conditions often compare tags of actor and resource; most pairs differ.
    """
    for line in lines:
        match = _ONE_VARIABLE.fullmatch(line.values[0]) if line.values else None
        if not match or len(line.values) > 1 or line.operator.lower() != "stringequals":
            continue
        key, variable = line.key.lower(), match[1].strip().lower()
        if CALLER in (key, variable) or cells.speaks(variable):
            continue
        if stated.get(key) is None and stated.get(variable) is None:
            wanted = mine.get(variable)
            if wanted and len(wanted) == 1:
                return cells.valued(keys, key, wanted[0])
    return cells.of(keys)


def _calling(known: Known) -> Known:
    account = known.get("aws:principalaccount")
    return NOTHING if account is None else Known({CALLER: account})


def _held(lines: Lines, about: Known, index: Index, key: tuple[object, ...]) -> Formula:
    """Evaluate lines of a condition; cached, since statements often share them."""
    space, mine, there, stated = key
    memo = lines, space, id(mine), id(there), stated
    found = index.held.get(memo)
    if found is None:
        found = index.held[memo] = evaluate(lines, about)
    return found


def groups(clause: Clause, index: Index, known: Known, actors: int) -> Iterator[Group]:
    """Group the actors that a statement may apply to by its meaning for them."""
    about_them, others = sorted_lines(clause, index, known)
    return _grouped(about_them, keys_used(clause, others), index, actors)


def _grouped(
    lines: Lines, keys: tuple[str, ...], index: Index, actors: int
) -> Iterator[Group]:
    """Group actors for which lines may hold, by the values of keys."""
    open_ = 0
    for line in lines:
        held = index.holding_line(line)
        actors &= held.maybe
        open_ |= held.maybe & ~held.sure
    for cell in index.cells(keys) if actors else ():
        here = cell.members & actors
        if here:
            for members, is_open in ((here & ~open_, False), (here & open_, True)):
                if members:
                    yield Group(members, cell.known, is_open)
            actors ^= here  # cells are disjoint
            if not actors:
                return


def sorted_lines(clause: Clause, index: Index, known: Known) -> tuple[Lines, Lines]:
    """Split a condition into lines about the actor alone, and all others."""
    mine: list[ConditionClause] = []
    others: list[ConditionClause] = []
    for line in clause.conditions:
        (mine if _is_alone(line, index, known) else others).append(line)
    return tuple(mine), tuple(others)


class _Speaking(Protocol):
    def speaks(self, key: str) -> bool: ...


def _is_alone(line: ConditionClause, things: _Speaking, known: Known) -> bool:
    """Tell whether a line depends on keys of `things` alone."""
    key = line.key.lower()
    if not things.speaks(key) or known.get(key) is not None:
        return False
    return not any(map(has_variable, line.values))


def _applying(
    clause: Clause, held: Formula, texts: Texts, known: Known
) -> tuple[Plane, int]:
    if held == FALSE:
        return NONE, 0
    plane = _resources(clause, texts, known)
    odd = plane.maybe & ~plane.sure if clause.not_resources else 0
    return (plane if held == TRUE else Plane(0, plane.maybe)), odd


def _resources(clause: Clause, texts: Texts, known: Known) -> Plane:
    sure = maybe = 0
    if clause.parts:
        for parts in clause.parts:
            sure |= texts.bits(parts)
        maybe = sure
    else:
        for written in clause.resources or clause.not_resources:
            resolved = resolve(written, known)
            if not resolved.void:
                hit = texts.bits(pattern_parts(resolved.pattern))
                maybe |= hit
                sure |= 0 if resolved.unknown else hit
    if clause.not_resources:
        return Plane(texts.all & ~maybe, texts.all & ~sure)
    return Plane(sure, maybe) if clause.resources else Plane(texts.all, texts.all)
