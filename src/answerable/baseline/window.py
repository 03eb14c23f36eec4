"""Window of an agent's recent results, and the origins of its argument values.

One window holds the runs of one agent. A run shares the results and counts of runs
begun shortly before it, so that splitting a run gains nothing.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from answerable.baseline.entity_extraction import (
    MOST,
    Named,
    amounts,
    canonical,
    kind_of,
    named,
)
from answerable.baseline.json_leaves import as_bytes, digest, fits, leaves, records
from answerable.baseline.request_values import SHORTEST
from answerable.baseline.result_buffer import LIMIT, Field, Hit, Kept, folded
from answerable.baseline.tool_results import MOST_FIELDS, fields, read
from answerable.model.behaviour import (
    NOTHING_SAID,
    Asked,
    EntityKind,
    Facts,
    Json,
    Observation,
    Origin,
    OriginKind,
    Progress,
    Table,
    Value,
)
from answerable.model.provenance import WrittenBy

SPAN = 3_600 * 10**9
_MINUTE = 60 * 10**9
_K = TypeVar("_K")
_Tables = Mapping[tuple[str, str], tuple[tuple[str, frozenset[bytes]], ...]]


@dataclass(slots=True)
class _Run:
    """One run of the window."""

    started: int
    last: int  # when it last did something
    asked: tuple[Asked, ...] = ()
    named: tuple[tuple[str, frozenset[bytes]], ...] = ()  # by requests, with their ids
    reads: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    sums: Counter[tuple[str, str]] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    untrusted: bool = False
    strangers: set[str] = field(default_factory=set)
    lately: deque[int] = field(default_factory=deque)


class Window:
    """Recent results and counts of one agent.

    Args:
        facts: Tool facts from the operator and the pins.
        tables: Owner tables; a table that an agent could have written is ignored.
        span: Nanoseconds for which a run counts for later ones.
        limit: Bytes of results that are kept.
    """

    def __init__(
        self,
        facts: Facts,
        tables: tuple[Table, ...] = (),
        span: int = SPAN,
        limit: int = LIMIT,
    ) -> None:
        self._facts = facts
        self._tables = _by_sink(tables)
        self._span = span
        self._kept = Kept(limit)
        self._stored = Kept(limit // 4)
        self._runs: dict[str, _Run] = {}
        self._turn = 0

    def begin(self, run: str, now: int, asked: Asked | None = None) -> None:
        """Begin a run, and forget runs that were idle for too long before it.

        Args:
            now: UTC nanoseconds.
        """
        self._runs[run] = _Run(now, now)
        self.ask(run, () if asked is None else (asked,))
        recent = {
            name: each
            for name, each in self._runs.items()
            if each.last >= now - self._span
        }
        if len(recent) < len(self._runs):
            self._runs = recent
            self._kept.forget(frozenset(recent))
            self._stored.forget(frozenset(recent))

    def ask(self, run: str, asked: tuple[Asked, ...]) -> None:
        """Replace the requests of a run.

        Args:
            asked: Requests; self-reported ones explain nothing.
        """
        here = self._runs[run]
        if here.asked != asked:
            here.asked = asked
            here.named = tuple(
                (each.id, frozenset(map(folded, each.values)))
                for each in asked
                if each.written_by is WrittenBy.PERSON
            )

    def knows(self, run: str) -> bool:
        """Tell whether a run has begun and is not forgotten."""
        return run in self._runs

    def observe(
        self,
        run: str,
        call: str,
        at: int,
        tool: str,
        arguments: Json,
        definition: str = "",
    ) -> Observation:
        """Extract the entities of a call and their origins; stores nothing.

        Args:
            at: UTC nanoseconds.
            tool: `SERVER/TOOL`.
            definition: SHA-256 of the pinned tool definition, hex; empty to use the
                facts.
        """
        facts = self._facts.get(tool, NOTHING_SAID)
        entities = named(arguments, facts)
        return Observation(
            id=call,
            at=at,
            tool=tool,
            definition=definition or facts.definition,
            is_write=facts.is_write,
            values=self._explained(self._runs[run], tool, entities[:MOST]),
            numbers=amounts(arguments, facts),
            digest=digest(arguments),
            crowded=len(entities) > MOST,
            after=self._after(run),
        )

    def _counted(self, run: str) -> list[_Run]:
        """Return a run with those begun shortly before it."""
        begin = self._runs[run].started - self._span
        return [each for each in self._runs.values() if each.started >= begin]

    def _after(self, run: str) -> tuple[str, ...]:
        return tuple(sorted(set().union(*(r.strangers for r in self._counted(run)))))

    def _explained(
        self, run: _Run, tool: str, entities: list[Named]
    ) -> tuple[Value, ...]:
        spelled = [_spellings(each) for each in entities]
        values = []
        hits = self._kept.find(spelled)
        stored = self._stored.find(spelled)
        lost = self._stored.lost
        for entity, spellings, found, own in zip(
            entities, spelled, hits, stored, strict=True
        ):
            turns = [hit.field.turn for hit in own] + ([] if lost is None else [lost])
            tables = self._tables.get((tool, entity.path), ())
            origins = (
                *_requested(run.named, spellings),
                *_listed(tables, spellings),
                *_earlier(found, min(turns, default=None)),
            )
            values.append(
                Value(
                    entity.path, entity.kind, entity.text, entity.sensitive,
                    entity.whole, origins, bool(tables),
                )
            )  # fmt: skip
        return tuple(values)

    def progress(self, run: str, at: int) -> Progress:
        """Sum the calls of a run and of those shortly before it."""
        here = self._runs[run]
        counted = self._counted(run)
        while here.lately and here.lately[0] <= at - _MINUTE:
            here.lately.popleft()
        return Progress(
            reads=frozenset().union(*(each.reads for each in counted)),
            counts=_sum(each.counts for each in counted),
            sums=_sum(each.sums for each in counted),
            sizes=_sum(each.sizes for each in counted),
            records=_sum(each.records for each in counted),
            untrusted=any(each.untrusted for each in counted),
            lately=len(here.lately),
        )

    def returned(
        self, run: str, call: Observation, arguments: Json, result: Json
    ) -> Observation:
        """Store the result of a call, and what it may have written.

        Returns:
            The observation with the size of its result.
        """
        facts = self._facts.get(call.tool, NOTHING_SAID)
        selector = selector_of(call)
        here = self._runs[run]
        self._turn += 1
        if call.is_write:
            self._store(run, call, arguments)
        said = read(result)
        size = 0
        for path, text in fields(said):
            size += len(as_bytes(text))
            trusted = fits(facts.trusted, path)
            self._kept.add(
                Field(run, self._turn, call.id, call.tool, selector, path, trusted),
                text,
            )
        untrusted = any(not fits(facts.trusted, path) for path, _ in fields(said))
        done = replace(call, size=size, records=records(said), untrusted=untrusted)
        _count(here, done)
        return done

    def _store(self, run: str, call: Observation, arguments: Json) -> None:
        for number, (path, text) in enumerate(leaves(arguments)):
            if number == MOST_FIELDS:
                self._stored.lose(run, self._turn)
                return
            of = Field(run, self._turn, call.id, call.tool, (), path, False)
            self._stored.add(of, text)

    def unread(
        self, run: str, call: Observation, arguments: Json, size: int
    ) -> Observation:
        """Count a call whose result was too large to store.

        Its arguments are stored; its result explains nothing.

        Args:
            size: Bytes of the result.
        """
        self._turn += 1
        if call.is_write:
            self._store(run, call, arguments)
        done = replace(call, size=size, untrusted=True)
        _count(self._runs[run], done)
        return done

    def recorded(self, run: str, call: Observation) -> None:
        """Count a recorded call without storing its result."""
        _count(self._runs[run], call)


def _count(run: _Run, call: Observation) -> None:
    if not call.is_write:
        run.reads.add(call.tool)
    run.counts[call.tool] += 1
    run.sizes[call.tool] += call.size
    run.records[call.tool] += call.records
    for path, amount in call.numbers:
        run.sums[call.tool, path] += amount
    run.untrusted = run.untrusted or call.untrusted
    if call.untrusted and not call.is_write:
        run.strangers.add(call.tool)
    run.lately.append(call.at)
    run.last = call.at


def selector_of(call: Observation) -> tuple[tuple[str, str], ...]:
    """Return the arguments of a call with their origins."""
    tokens = {(value.path, _token(value)) for value in call.values if value.whole}
    return tuple(sorted(tokens))


def _token(value: Value) -> str:
    return f"{_explained_by(value)}={value.kind.value}:{value.text}"


def _explained_by(value: Value) -> str:
    for origin in value.origins:
        if origin.kind is OriginKind.REQUEST:
            return "request"
        if origin.kind is OriginKind.TABLE:
            return f"table:{origin.source}"
        return f"earlier:{origin.source} {origin.field}"
    return ""


def _by_sink(tables: tuple[Table, ...]) -> _Tables:
    found: dict[tuple[str, str], tuple[tuple[str, frozenset[bytes]], ...]] = {}
    for table in sorted(tables, key=lambda each: each.name):
        if not table.written_by.believed:
            continue
        values = frozenset(
            folded(canonical(kind_of(value), value)) for value in table.values
        )
        for sink in table.sinks:
            found[sink] = (*found.get(sink, ()), (table.name, values))
    return found


def _spellings(entity: Named) -> tuple[bytes, ...]:
    """Return the forms of an entity to search for, the canonical first."""
    plain = folded(entity.text)
    if entity.kind is not EntityKind.IBAN:
        return (plain,)
    groups = [entity.text[i : i + 4] for i in range(0, len(entity.text), 4)]
    return (plain, folded(" ".join(groups)))


def _requested(
    named: tuple[tuple[str, frozenset[bytes]], ...], spellings: tuple[bytes, ...]
) -> tuple[Origin, ...]:
    for id, values in named:
        if len(spellings[0]) >= SHORTEST and not values.isdisjoint(spellings):
            return (Origin(OriginKind.REQUEST, call=id),)
    return ()


def _listed(
    tables: tuple[tuple[str, frozenset[bytes]], ...], spellings: tuple[bytes, ...]
) -> tuple[Origin, ...]:
    return tuple(
        Origin(OriginKind.TABLE, name, whole=True)
        for name, values in tables
        if spellings[0] in values
    )


def _earlier(hits: list[Hit], stored: int | None) -> tuple[Origin, ...]:
    """Return the earlier results that explain a value, the best first.

    Args:
        hits: Occurrences of the value.
        stored: Turn in which the run itself may have written it; reads from then on are
            untrusted.
    """
    found: dict[tuple[str, tuple[tuple[str, str], ...], str, bool, bool], Origin] = {}
    for hit in hits:
        of = hit.field
        if not hit.bounded:
            continue
        trusted = of.trusted and (stored is None or of.turn < stored)
        key = (of.tool, of.selector, of.path, hit.whole, trusted)
        if key not in found:
            found[key] = Origin(
                OriginKind.EARLIER, of.tool, of.selector, of.path, hit.whole,
                trusted, of.call, hit.start, hit.end,
            )  # fmt: skip
    return tuple(
        sorted(found.values(), key=lambda each: (not each.trusted, not each.whole))
    )


def _sum(counters: Iterable[Counter[_K]]) -> Mapping[_K, int]:
    total: Counter[_K] = Counter()
    for each in counters:
        total.update(each)
    return total
