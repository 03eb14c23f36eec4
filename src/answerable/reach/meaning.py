"""To whom and to which resources a statement applies, for many at once."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from answerable.model.policy import ConditionClause
from answerable.reach.cells import Cells, keys_used
from answerable.reach.clauses import Clause
from answerable.reach.conditions import evaluate
from answerable.reach.context import Known, has_variable, resolve
from answerable.reach.formula import FALSE, TRUE
from answerable.reach.holders import Index, Part
from answerable.reach.planes import NONE, Plane, Texts
from answerable.reach.resources import pattern_parts

Lines = tuple[ConditionClause, ...]


class Space:
    """Resources that calls may name, with what is known of each."""

    def __init__(self, texts: Texts, knowns: list[Known]) -> None:
        self.texts = texts
        self.cells = Cells(knowns)


class Group(NamedTuple):
    """Actors for whom a statement means the same.

    Attributes:
        actors: Who.
        known: What is known of them, as far as it matters.
        is_open: Whether a line of the condition about the actor is not decided.
    """

    actors: int
    known: Known
    is_open: bool


def applying(
    clause: Clause, space: Space, known: Known, index: Index, actors: int
) -> Iterable[Part]:
    """Say to which resources of a space a statement applies, for some actors."""
    if clause.static:
        plane = _resources(clause, space.texts, known)
        return [Part(actors, plane)] if plane.maybe and actors else []
    _, others = sorted_lines(clause, index, known)
    keys = keys_used(clause, others)
    stated = tuple(known.get(key) for key in keys)
    memo = clause, space, actors, stated, len(others)
    found = index.parts.get(memo)
    if found is None:
        found = index.parts[memo] = [
            part
            for group in groups(clause, index, known, actors)
            if (part := _part(clause, space, known, group, others)).plane.maybe
        ]
    return found


def _part(
    clause: Clause, space: Space, known: Known, group: Group, others: Lines
) -> Part:
    plane, odd = NONE, 0
    for there in space.cells.of(keys_used(clause, others)):
        about = known.over(there.known).over(group.known)
        here, strange = _applying(clause, others, space.texts, about)
        plane |= here.within(there.members)
        odd |= strange & there.members
    if group.is_open:
        plane = Plane(0, plane.maybe)
    return Part(group.actors, plane, odd)


def groups(clause: Clause, index: Index, known: Known, actors: int) -> Iterator[Group]:
    """Part actors by what a statement means for them; leave out whom it spares."""
    about_them, others = sorted_lines(clause, index, known)
    open_ = 0
    for line in about_them:
        held = index.holding_line(line)
        actors &= held.maybe
        open_ |= held.maybe & ~held.sure
    for cell in index.cells(keys_used(clause, others)) if actors else ():
        for members, is_open in (
            (cell.members & actors & ~open_, False),
            (cell.members & actors & open_, True),
        ):
            if members:
                yield Group(members, cell.known, is_open)


def sorted_lines(clause: Clause, index: Index, known: Known) -> tuple[Lines, Lines]:
    """Part a condition into lines about the actor alone, and all others."""
    mine: list[ConditionClause] = []
    others: list[ConditionClause] = []
    for line in clause.conditions:
        key = line.key.lower()
        alone = index.speaks(key) and known.get(key) is None
        plain = not any(map(has_variable, line.values))
        (mine if alone and plain else others).append(line)
    return tuple(mine), tuple(others)


def _applying(
    clause: Clause, lines: Lines, texts: Texts, known: Known
) -> tuple[Plane, int]:
    held = evaluate(lines, known)
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
