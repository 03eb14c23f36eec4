"""Track an agent's recent results, to find the origins of its argument values.

One window holds the runs of one agent. A run shares the results and counts of runs
begun shortly before it, so that splitting a run gains nothing.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from answerable.baseline.entity_extraction import (
    MAX_ENTITIES,
    ArgumentEntity,
    extract_entities,
    extract_numeric_arguments,
)
from answerable.baseline.json_leaves import (
    count_result_records,
    encode_utf8_with_surrogates,
    hash_arguments,
    iterate_leaves,
    matches_path_pattern,
)
from answerable.baseline.result_buffer import (
    BUFFER_SIZE,
    ResultBuffer,
    ResultField,
    fold_case,
)
from answerable.baseline.tool_result_fields import (
    MAX_FIELDS,
    iterate_result_fields,
    parse_tool_result,
)
from answerable.baseline.value_origins import (
    find_request_origins,
    find_result_origins,
    find_table_origins,
    index_owner_tables,
    list_search_forms,
)
from answerable.model.behaviour import (
    DEFAULT_TOOL_FACTS,
    ArgumentValue,
    CallObservation,
    JsonValue,
    OriginKind,
    ReferenceTable,
    RequestedValues,
    RunProgress,
    ToolFactsByName,
)
from answerable.model.provenance import WrittenBy
from answerable.model.time_units import MINUTE_NS

WINDOW_SPAN = 3_600 * 10**9
_KeyT = TypeVar("_KeyT")


@dataclass(slots=True)
class _WindowRun:
    """One run of the window."""

    started: int
    last: int  # when it last did something
    requested_values: tuple[RequestedValues, ...] = ()
    named: tuple[tuple[str, frozenset[bytes]], ...] = ()  # by requests, with their ids
    reads: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    sums: Counter[tuple[str, str]] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    untrusted: bool = False
    untrusted_sources: set[str] = field(default_factory=set)
    recent_call_times: deque[int] = field(default_factory=deque)


class RecentResultWindow:
    """Recent results and counts of one agent.

    Args:
        facts: Tool facts from the operator and the pins.
        tables: Owner tables; a table that an agent could have written is ignored.
        span: Nanoseconds for which a run counts for later ones.
        limit: Bytes of results that are kept.
    """

    def __init__(
        self,
        facts: ToolFactsByName,
        tables: tuple[ReferenceTable, ...] = (),
        span: int = WINDOW_SPAN,
        limit: int = BUFFER_SIZE,
    ) -> None:
        self._facts = facts
        self._tables = index_owner_tables(tables)
        self._span = span
        self._kept = ResultBuffer(limit)
        self._stored = ResultBuffer(limit // 4)
        self._runs: dict[str, _WindowRun] = {}
        self._turn = 0

    def begin_run(
        self, run: str, now: int, requested_values: RequestedValues | None = None
    ) -> None:
        """Begin a run, and forget runs that were idle for too long.

        Args:
            now: UTC nanoseconds.
        """
        self._runs[run] = _WindowRun(now, now)
        self.set_person_requests(
            run, () if requested_values is None else (requested_values,)
        )
        recent = {
            name: each
            for name, each in self._runs.items()
            if each.last >= now - self._span
        }
        if len(recent) < len(self._runs):
            self._runs = recent
            self._kept.retain_runs(frozenset(recent))
            self._stored.retain_runs(frozenset(recent))

    def set_person_requests(
        self, run: str, requested_values: tuple[RequestedValues, ...]
    ) -> None:
        """Replace the person's requests of a run.

        Args:
            requested_values: Requests; self-reported ones explain nothing.
        """
        here = self._runs[run]
        if here.requested_values != requested_values:
            here.requested_values = requested_values
            here.named = tuple(
                (each.id, frozenset(map(fold_case, each.values)))
                for each in requested_values
                if each.written_by is WrittenBy.PERSON
            )

    def has_run(self, run: str) -> bool:
        """Return whether a run was begun and is still remembered."""
        return run in self._runs

    def observe_call(
        self,
        run: str,
        call: str,
        at: int,
        tool: str,
        arguments: JsonValue,
        definition: str = "",
    ) -> CallObservation:
        """Extract the argument values of a call, with origins; stores nothing.

        Args:
            at: UTC nanoseconds.
            tool: `SERVER/TOOL`.
            definition: SHA-256 of the pinned tool definition, hex; empty to use the
                facts.
        """
        facts = self._facts.get(tool, DEFAULT_TOOL_FACTS)
        entities = extract_entities(arguments, facts)
        return CallObservation(
            id=call,
            at=at,
            tool=tool,
            definition=definition or facts.definition,
            is_write=facts.is_write,
            values=self._find_value_origins(
                self._runs[run], tool, entities[:MAX_ENTITIES]
            ),
            numbers=extract_numeric_arguments(arguments, facts),
            digest=hash_arguments(arguments),
            crowded=len(entities) > MAX_ENTITIES,
            after=self._list_untrusted_sources(run),
        )

    def _list_recent_runs(self, run: str) -> list[_WindowRun]:
        """Return a run and those begun shortly before it."""
        begin = self._runs[run].started - self._span
        return [each for each in self._runs.values() if each.started >= begin]

    def _list_untrusted_sources(self, run: str) -> tuple[str, ...]:
        """Return the tools whose untrusted results a run has read."""
        return tuple(
            sorted(
                set().union(*(r.untrusted_sources for r in self._list_recent_runs(run)))
            )
        )

    def _find_value_origins(
        self, run: _WindowRun, tool: str, entities: list[ArgumentEntity]
    ) -> tuple[ArgumentValue, ...]:
        """Return the argument values with their possible origins."""
        spelled = [list_search_forms(each) for each in entities]
        values = []
        hits = self._kept.find_values(spelled)
        stored = self._stored.find_values(spelled)
        lost = self._stored.first_lost_turn
        for entity, spellings, found, own in zip(
            entities, spelled, hits, stored, strict=True
        ):
            turns = [hit.field.turn for hit in own] + ([] if lost is None else [lost])
            tables = self._tables.get((tool, entity.path), ())
            origins = (
                *find_request_origins(run.named, spellings),
                *find_table_origins(tables, spellings),
                *find_result_origins(found, min(turns, default=None)),
            )
            values.append(
                ArgumentValue(
                    path=entity.path,
                    kind=entity.kind,
                    text=entity.text,
                    sensitive=entity.sensitive,
                    whole=entity.whole,
                    origins=origins,
                    tabled=bool(tables),
                )
            )
        return tuple(values)

    def sum_recent_calls(self, run: str, at: int) -> RunProgress:
        """Sum the calls of a run and of those begun shortly before it."""
        here = self._runs[run]
        counted = self._list_recent_runs(run)
        while here.recent_call_times and here.recent_call_times[0] <= at - MINUTE_NS:
            here.recent_call_times.popleft()
        return RunProgress(
            reads=frozenset().union(*(each.reads for each in counted)),
            counts=_sum_counters(each.counts for each in counted),
            sums=_sum_counters(each.sums for each in counted),
            sizes=_sum_counters(each.sizes for each in counted),
            records=_sum_counters(each.records for each in counted),
            untrusted=any(each.untrusted for each in counted),
            lately=len(here.recent_call_times),
        )

    def add_call_result(
        self, run: str, call: CallObservation, arguments: JsonValue, result: JsonValue
    ) -> CallObservation:
        """Store a call's result, and the arguments of a write.

        Returns:
            The observation with the size of its result.
        """
        facts = self._facts.get(call.tool, DEFAULT_TOOL_FACTS)
        selector = build_selector_tokens(call)
        here = self._runs[run]
        self._turn += 1
        if call.is_write:
            self._store_written_arguments(run, call, arguments)
        said = parse_tool_result(result)
        size = 0
        for path, text in iterate_result_fields(said):
            size += len(encode_utf8_with_surrogates(text))
            trusted = matches_path_pattern(facts.trusted, path)
            self._kept.add_result_field(
                ResultField(
                    run=run,
                    turn=self._turn,
                    call=call.id,
                    tool=call.tool,
                    selector=selector,
                    path=path,
                    trusted=trusted,
                ),
                text,
            )
        untrusted = any(
            not matches_path_pattern(facts.trusted, path)
            for path, _ in iterate_result_fields(said)
        )
        done = replace(
            call, size=size, records=count_result_records(said), untrusted=untrusted
        )
        _count_run_call(here, done)
        return done

    def _store_written_arguments(
        self, run: str, call: CallObservation, arguments: JsonValue
    ) -> None:
        """Store a write's arguments: later results may return them."""
        for number, (path, text) in enumerate(iterate_leaves(arguments)):
            if number == MAX_FIELDS:
                self._stored.mark_results_lost(run, self._turn)
                return
            of = ResultField(
                run=run,
                turn=self._turn,
                call=call.id,
                tool=call.tool,
                selector=(),
                path=path,
                trusted=False,
            )
            self._stored.add_result_field(of, text)

    def add_call_with_oversized_result(
        self, run: str, call: CallObservation, arguments: JsonValue, size: int
    ) -> CallObservation:
        """Count a call whose result was too large to store.

        Its arguments are stored; its result explains nothing.

        Args:
            size: Bytes of the result.
        """
        self._turn += 1
        if call.is_write:
            self._store_written_arguments(run, call, arguments)
        done = replace(call, size=size, untrusted=True)
        _count_run_call(self._runs[run], done)
        return done

    def add_recorded_call(self, run: str, call: CallObservation) -> None:
        """Count a past call from its audit record, which has no result."""
        _count_run_call(self._runs[run], call)


def _count_run_call(run: _WindowRun, call: CallObservation) -> None:
    """Add a call to the counts of its run."""
    if not call.is_write:
        run.reads.add(call.tool)
    run.counts[call.tool] += 1
    run.sizes[call.tool] += call.size
    run.records[call.tool] += call.records
    for path, amount in call.numbers:
        run.sums[call.tool, path] += amount
    run.untrusted = run.untrusted or call.untrusted
    if call.untrusted and not call.is_write:
        run.untrusted_sources.add(call.tool)
    run.recent_call_times.append(call.at)
    run.last = call.at


def build_selector_tokens(call: CallObservation) -> tuple[tuple[str, str], ...]:
    """Return a call's arguments with their origins, as selector tokens."""
    tokens = {
        (value.path, _format_selector_token(value))
        for value in call.values
        if value.whole
    }
    return tuple(sorted(tokens))


def _format_selector_token(value: ArgumentValue) -> str:
    """Return an argument's token: `ORIGIN=KIND:TEXT`."""
    return f"{_format_origin_label(value)}={value.kind.value}:{value.text}"


def _format_origin_label(value: ArgumentValue) -> str:
    """Return a short label of a value's best origin; empty without any."""
    for origin in value.origins:
        if origin.kind is OriginKind.REQUEST:
            return "request"
        if origin.kind is OriginKind.TABLE:
            return f"table:{origin.source}"
        return f"earlier:{origin.source} {origin.field}"
    return ""


def _sum_counters(counters: Iterable[Counter[_KeyT]]) -> Mapping[_KeyT, int]:
    """Return the sum of several counters."""
    total: Counter[_KeyT] = Counter()
    for each in counters:
        total.update(each)
    return total
