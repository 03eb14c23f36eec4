"""In a large store, a question reads or derives the chains of its own events alone.

The answer is equal to that of the chains of all events.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.lineage.search_query import parse_search_query
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.presentation.time_input import TimeWindow
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.lineage import chain_cache, window_counts
from answerable.services.lineage.lineage_search import SearchScope, build_event_filter
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store import chain_writer, day_files, large_stores, lineage_facts
from answerable.store.chain_lookup import read_chains_of_keys
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.lineage.compare_windows import (
    compare_windows,
    list_first_seen,
)
from answerable.usecases.lineage.count_events import count_by_fields
from answerable.usecases.lineage.summarize_events import (
    count_facets,
    summarize_events,
)
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import DATA, NOW


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvidenceStore]:
    root: Path = tmp_path_factory.mktemp("large") / "store"
    with EvidenceStore.open(root, now=NOW) as opened:
        ingest_logs(opened, [f"cloudtrail:{DATA / 'day.json'}"], now=NOW)
        yield opened


def list_questions(store: EvidenceStore) -> list[TraceQuery]:
    """List questions with every name, action, resource and time of the store."""
    items = trace_events(store, TraceQuery(), now=NOW).items
    events = store.run_query("SELECT event_time FROM events ORDER BY 1")
    times = [int(str(row[0])) for row in events]
    found = [TraceQuery(), TraceQuery(limit=3), TraceQuery(outcome="denied")]
    found += [TraceQuery(person="="), TraceQuery(tool="=", identity="=no one")]
    found += [
        TraceQuery(since=times[n], until=times[-n] + 1, limit=limit)
        for n in (1, len(times) // 3)
        for limit in (2, 1000)
    ]
    for hop in ("person", "agent", "identity", "action", "resource"):
        values = sorted({str(item["hops"][hop]["value"]) for item in items} - {""})  # type: ignore[index]
        for value in values[:6]:
            found.append(TraceQuery(**{hop: value}))  # type: ignore[arg-type]
            if hop in ("person", "agent", "identity"):
                found.append(TraceQuery(**{hop: f"={value}"}))  # type: ignore[arg-type]
            found.append(
                TraceQuery(**{hop: value}, since=times[len(times) // 4])  # type: ignore[arg-type]
            )
    keys = sorted({str(item["credential"]) for item in items} - {""})
    return [*found, *(TraceQuery(credential=key) for key in keys[:6])]


@pytest.fixture(scope="module")
def questions(store: EvidenceStore) -> list[TraceQuery]:
    return list_questions(store)


@pytest.fixture(scope="module")
def expected(store: EvidenceStore, questions: list[TraceQuery]) -> list[Document]:
    """The answers by the chains of all events."""
    return [trace_events(store, each, now=NOW) for each in questions]


def test_the_answer_is_that_of_all_chains(
    store: EvidenceStore,
    questions: list[TraceQuery],
    expected: list[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    for question, answer in zip(questions, expected, strict=True):
        found = trace_events(store, question, now=NOW)
        assert found.items == answer.items, question
        assert found.coverage == answer.coverage
        assert found.total == answer.total
        assert found.next == answer.next


def test_from_a_number_of_events_on_a_trace_searches_the_chain_file(
    store: EvidenceStore,
    questions: list[TraceQuery],
    expected: list[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = store.derived / "chains.list"
    file.unlink(missing_ok=True)
    monkeypatch.setattr(chain_cache, "_LOOKUP_EVENTS", -1)
    for question, answer in zip(questions, expected, strict=True):
        found = trace_events(store, question, now=NOW)
        assert (found.items, found.total) == (answer.items, answer.total), question
        assert found.coverage == answer.coverage
    assert file.exists()
    with monkeypatch.context() as patch:  # the file has all that is needed
        patch.setattr(lineage_facts, "load_cached_chains", None)
        assert trace_events(store, TraceQuery(), now=NOW).items == expected[0].items


COUNTED = (
    *("person", "agent,tool", "identity,source", "chain,outcome", "source,outcome"),
    *("action", "person,action", "identity,day,outcome", "resource", "day"),
    *("credential", "identity,credential"),
)


@pytest.mark.parametrize("fields", COUNTED)
def test_the_counts_are_those_of_all_chains(
    store: EvidenceStore,
    questions: list[TraceQuery],
    monkeypatch: pytest.MonkeyPatch,
    fields: str,
) -> None:
    # Others of each list of fields: together all.
    asked = questions[COUNTED.index(fields) % 6 :: 6]
    expected = [count_by_fields(store, each, fields, now=NOW) for each in asked]
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    for question, answer in zip(asked, expected, strict=True):
        found = count_by_fields(store, question, fields, now=NOW)
        assert found.items == answer.items, question
        assert found.coverage == answer.coverage
        assert (found.total, found.next) == (answer.total, answer.next)


@pytest.mark.parametrize(
    "text",
    ["", "outcome:denied", "source:cloudtrail", "outcome:error source:cloudtrail"],
)
def test_facets_by_derived_files_are_those_of_the_events(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    query, inventory = parse_search_query(text), load_inventory(store, now=NOW)
    assert count_facets(store, inventory, query) is None  # a small store
    chains = chain_cache.load_or_compute_chains(store)
    wanted = build_event_filter(SearchScope(inventory, chains), query, now=NOW)
    expected = summarize_events(store, chains, wanted).facets
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    assert count_facets(store, inventory, query) == list(expected)
    for other in ("agent:x", "since:7d", "word"):
        assert count_facets(store, inventory, parse_search_query(other)) is None


def test_an_identity_with_earlier_and_later_events_is_not_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = json.loads((DATA / "day.json").read_bytes())["Records"]
    record, other = records[2], records[4]  # of a user, and of a role
    at = f"{record['eventTime'][:10]}T23:59:59Z"
    lines = [record, {**record, "eventTime": at, "eventID": "later"}]
    lines.append({**other, "eventTime": at})
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(each) + "\n" for each in lines))
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened:
        ingest_logs(opened, [f"cloudtrail:{log}"], now=NOW)
        ((since,),) = opened.run_query("SELECT max(event_time) FROM events")
        question = TraceQuery(since=int(str(since)))
        found = list_first_seen(opened, question, "identity", None, now=NOW)
    assert [str(item["value"]).rpartition("/")[2] for item in found.items] == ["deploy"]


@pytest.mark.parametrize("fields", ["", "credential", "resource,outcome", "chain,day"])
def test_windows_are_compared_as_with_all_chains(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch, fields: str
) -> None:
    rows = store.run_query("SELECT event_time FROM events ORDER BY 1")
    times = [int(str(row[0])) for row in rows]
    middle = times[len(times) // 2]
    for question in (
        TraceQuery(since=middle, action="*"),
        TraceQuery(since=middle, outcome="success"),
        TraceQuery(since=middle, resource="*"),
    ):

        def answer(question: TraceQuery) -> list[object]:
            before = TimeWindow(times[0], question.since)
            first = list_first_seen(store, question, fields, None, now=NOW)
            changes = compare_windows(store, question, fields, before, now=NOW)
            both = first, changes
            return [part for each in both for part in (each.items, each.coverage)]

        expected = answer(question)
        assert expected[0] or expected[2]
        with monkeypatch.context() as patch:
            patch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
            patch.setattr(window_counts, "load_or_compute_chains", None)
            assert answer(question) == expected, question


@pytest.mark.parametrize("pattern", ["chains.list", "chains/*", "chain-counts/*"])
def test_a_changed_chain_file_is_written_again(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    expected = count_by_fields(store, TraceQuery(), "person", now=NOW).items
    place, *_ = store.derived.glob(pattern)
    usual = place.read_bytes()
    place.write_bytes(usual[:-9] + b"xyz" + usual[-6:])
    assert count_by_fields(store, TraceQuery(), "person", now=NOW).items == expected
    changed = usual[:-9] + b"xyz" + usual[-6:]
    assert all(each.read_bytes() != changed for each in store.derived.glob(pattern))


def test_similar_and_unknown_names_are_resolved_like_among_all_chains(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(field: str, text: str) -> object:
        question = TraceQuery(**{field: text})  # type: ignore[arg-type]  # names
        try:
            return trace_events(store, question, now=NOW).items
        except UsageError as error:
            return str(error), error.hint

    items = trace_events(store, TraceQuery(), now=NOW).items
    asked = [("identity", "*role*"), ("person", "nobody"), ("agent", "x")]
    for field in ("person", "identity"):
        for value in sorted({str(e["hops"][field]["value"]) for e in items} - {""}):  # type: ignore[index]
            tail = value.rpartition(":")[2]
            parts = (tail, tail.rpartition("/")[2], tail[:-1], tail.partition("@")[0])
            asked += [(field, part) for part in parts]
    expected = [answer(*each) for each in asked]
    assert any(isinstance(each, tuple) for each in expected)
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    for each, known in zip(asked, expected, strict=True):
        assert answer(*each) == known, each


def test_no_chain_of_other_events_is_loaded(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_events(store, TraceQuery(limit=1), now=NOW)  # the inventory is cached
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)

    def refuse(_: object) -> None:
        raise AssertionError("the facts of all events were loaded")

    for name in ("load_lineage_facts", "load_cached_chains"):
        monkeypatch.setattr(lineage_facts, name, refuse)
    for question in (TraceQuery(limit=2), TraceQuery(since=1, until=NOW)):
        assert trace_events(store, question, now=NOW).items


def test_the_files_of_questions_are_written_with_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)

    def refuse(*_: object) -> None:
        raise AssertionError("a question wrote a file")

    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened:
        ingest_logs(opened, [f"cloudtrail:{DATA / 'day.json'}"], now=NOW)
        monkeypatch.setattr(chain_writer, "write_rows", refuse)
        monkeypatch.setattr(day_files, "_write_file", refuse)
        for fields in ("person", "action", "person,day"):
            assert count_by_fields(opened, TraceQuery(), fields, now=NOW).items
        (opened.derived / "chains.list").unlink()
        assert trace_events(opened, TraceQuery(since=1), now=NOW).items


def test_chains_derived_in_parts_are_those_of_all_events(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {
        each.chain_key: each for each in chain_cache.load_or_compute_chains(store)
    }
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    monkeypatch.setattr(chain_cache, "_KEYS_OF_PART", 2)
    monkeypatch.setattr(lineage_facts, "load_lineage_facts", None)
    file = chain_cache.write_current_chain_file(store)
    found = read_chains_of_keys(store, file, list(expected))
    assert len(expected) > 4
    assert {each.chain_key: each for each in found} == expected
