"""The window: what an agent was given lately, and how it explains what it does.

One window holds the runs of one agent. A run sees what runs begun shortly before it
were given and did, so that nothing is gained by splitting one.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from answerable.baseline.arguments import as_bytes, digest, fits, leaves, records
from answerable.baseline.entities import MOST, Named, amounts, canonical, kind_of, named
from answerable.baseline.kept import LIMIT, Field, Hit, Kept, folded
from answerable.baseline.requested import SHORTEST
from answerable.baseline.results import MOST_FIELDS, fields, read
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
from answerable.model.written import WrittenBy

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
    """What one agent was given and did lately.

    Args:
        facts: What the operator and the pins say of tools.
        tables: What owners know. A table that an agent could have written is none.
        span: Nanoseconds after whose start a run counts for later ones.
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
        """Begin a run, and forget those that did nothing for too long before it.

        Args:
            run: Name of the attested start.
            now: UTC nanoseconds.
            asked: The person's request; any other's explains nothing.
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
        """Say what a person asks for in a run from now on, instead of before.

        Args:
            run: A run that has begun.
            asked: Requests; those that no person could have written explain nothing.
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
        """Tell whether a run has begun, and is not forgotten."""
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
        """Find the entities of a call and what explains them; nothing is kept yet.

        Args:
            run: A run that has begun.
            call: Evidence id.
            at: UTC nanoseconds.
            tool: `SERVER/TOOL`.
            arguments: As they came.
            definition: SHA-256 of the tool's definition as it is pinned by now, hex;
                empty for what the facts say.
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
        """Give a run with those begun shortly before it."""
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
        """Say what the agent did so far, in this run and in those shortly before it."""
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
        """Keep what a call brought that went on, and what it may have stored.

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
        """Count a call of whose result nothing is kept: it was too large to be held.

        What it may have stored is kept; nothing that came back explains anything.

        Args:
            run: Its run.
            call: The call.
            arguments: Its arguments.
            size: Bytes that came back.
        """
        self._turn += 1
        if call.is_write:
            self._store(run, call, arguments)
        done = replace(call, size=size, untrusted=True)
        _count(self._runs[run], done)
        return done

    def recorded(self, run: str, call: Observation) -> None:
        """Count a call as it was recorded, with what came back; nothing is kept."""
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
    """Say with what a tool was called: each argument's value, and what explained it."""
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
    """Give the spellings under which an entity is looked for, the canonical first."""
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
    """Give each way in which earlier results explain a value, the best first.

    Args:
        hits: Where the value stands.
        stored: Turn in which the run itself wrote it, or may have: what was read from
            then on is no trusted origin.
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
