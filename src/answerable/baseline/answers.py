"""What the queries of `baseline.query` bring, read as counts."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from answerable.baseline.bounds import Sets, most, rated
from answerable.baseline.learn import Counted
from answerable.baseline.tally import (
    CapabilityKey,
    EdgeKey,
    EntityKey,
    Seen,
    Tallies,
)
from answerable.model.baseline import Bound, Measure, Surroundings
from answerable.model.behaviour import NOWHERE, EntityKind, Envelope, OriginKind

Row = Sequence[object]
Answers = Mapping[str, Sequence[Row]]


def counted(answers: Answers) -> Counted:
    """Read the answers to all of `query.counts`."""
    runs, days, persons = cast("tuple[int, int, int]", answers["totals"][0])
    return Counted(
        runs=runs,
        days=days,
        persons=persons,
        tallies=Tallies(
            {_capability(row): _seen(row) for row in answers["capabilities"]},
            {_entity(row): _seen(row) for row in answers["entities"]},
            {_edge(row): _seen(row) for row in answers["edges"]},
        ),
        sets=_sets(answers["sets"]),
        bounds=tuple(
            Bound(
                tool,
                Measure(measure),
                path,
                most(Measure(measure), values),
                len(values),
            )
            for tool, measure, path, values in sorted(
                cast("Iterable[tuple[str, str, str, list[int]]]", answers["bounds"])
            )
        ),
        surroundings=_surroundings(answers),
    )


def _capability(row: Row) -> CapabilityKey:
    tool, definition, is_write = cast("tuple[str, str, bool]", tuple(row[:3]))
    return CapabilityKey(tool, definition, is_write)


def _entity(row: Row) -> EntityKey:
    tool, path, kind, text, sensitive = cast(
        "tuple[str, str, str, str, bool]", tuple(row[:5])
    )
    return EntityKey(tool, path, EntityKind(kind), text, sensitive)


def _edge(row: Row) -> EdgeKey:
    tool, path, origin, source, selector, field = cast(
        "tuple[str, str, str, str, str, str]", tuple(row[:6])
    )
    whole, trusted, sensitive = cast("tuple[bool, bool, bool]", tuple(row[6:9]))
    pairs = tuple((name, token) for name, token in json.loads(selector))
    return EdgeKey(
        tool, path, OriginKind(origin), source, pairs, field, whole, trusted, sensitive
    )


def _seen(row: Row) -> Seen:
    count, runs, days, persons, first, last = cast(
        "tuple[int, int, list[int], list[str] | None, int, dict[str, object]]",
        tuple(row[-6:]),
    )
    moment, call = cast("tuple[int, str]", (last["moment"], last["id"]))
    return Seen(
        count, runs, frozenset(days), frozenset(persons or ()), first, (moment, call)
    )


def _sets(found: Sequence[Row]) -> Sets:
    sets: Sets = defaultdict(Counter)
    for tool, reads, runs in cast("Iterable[tuple[str, list[str] | None, int]]", found):
        sets[tool][frozenset(reads or ())] += runs
    return sets


def _surroundings(answers: Answers) -> Surroundings:
    places = (Envelope(*cast("tuple[str, str, str]", row)) for row in answers["places"])
    hours = cast("Iterable[tuple[int, int]]", answers["hours"])
    return Surroundings(
        tuple(
            sorted(
                (each for each in places if each != NOWHERE),
                key=lambda e: (e.network, e.workload, e.region),
            )
        ),
        tuple(sorted((hour, runs) for hour, runs in hours)),
        rated(cast("Iterable[tuple[int, int]]", answers["rates"])),
    )
