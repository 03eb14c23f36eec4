"""Law of the totals by counts: each is the number of rows that a search finds."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.provenance import WrittenBy
from answerable.services.lineage import chain_cache, large_store_chains
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store import investigation_queries, large_stores, segment_scope
from answerable.store.lineage_days import (
    TOUCHED,
    is_touch_counted,
    list_lineage_files,
)
from answerable.store.query_tables import ParquetTable
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.erase_person import erase_person
from answerable.usecases.lineage.trace import trace_events
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.store.store_history import DAY, StoreHistory

SOURCES = ("cloudtrail", "sts", "gateway")
ADA = "ada@example.com"


def name_role(number: int) -> str:
    return f"arn:aws:iam::123456789012:role/role-{number % 5}"


def make_event(number: int, day: int) -> AuditEvent:
    """Make an event that touches others of its number's remainders, some itself."""
    issued = f"cred:{(number + 1) % 4}" if number % 3 == 0 else ""
    return event(
        number,
        event_time=NOW - day * DAY + number,
        identity=name_role(number),
        source=SOURCES[number % len(SOURCES)],
        written_by=(WrittenBy.SELF_REPORTED if number % 6 == 5 else WrittenBy.PLATFORM),
        credential=f"cred:{number % 4}",
        person=f"person:{ADA}" if number % 7 == 3 else "",
        issued=issued,
        issued_to=name_role(number + 2) if issued else "",
        created=name_role(number // 2) if number % 8 == 1 else "",
        deleted=name_role(number // 3) if number % 11 == 1 else "",
        resource=name_role(number // 4) if number % 4 == 2 else "arn:aws:s3:::a/b",
        resources=(name_role(number // 5), name_role(1)) if number % 5 == 2 else (),
    )


class LossyHistory(StoreHistory):
    """Steps that erase events, and lose files, too."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, make_event)

    def erase(self) -> None:
        with EvidenceStore.open(self.root, now=NOW) as store:
            erase_person(store, [ADA], "asked", now=NOW)

    def lose(self, number: int) -> None:
        """Lose a file of a segment."""
        files = sorted(self.root.glob("segments/*/*.parquet"))
        if files:
            file = files[number % len(files)]
            file.rename(file.with_name(f"{file.name}.lost"))

    def find_lost(self) -> None:
        for path in self.root.glob("segments/*/*.lost"):
            path.rename(path.with_suffix(""))

    def remove_derived_files(self, pattern: str) -> None:
        for path in self.root.glob(f"derived/{pattern}"):
            if path.is_file():
                path.unlink()


STEPS = st.one_of(
    st.builds(
        lambda day, count, sealed: lambda s: s.ingest(day, count, sealed=sealed),
        st.integers(0, 4),
        st.integers(1, 14),
        st.booleans(),
    ),
    st.just(LossyHistory.compact),
    st.builds(lambda days: lambda s: s.retain(days), st.integers(1, 3)),
    st.just(LossyHistory.erase),
    st.builds(lambda number: lambda s: s.lose(number), st.integers(0, 9)),
    st.just(LossyHistory.find_lost),
    st.builds(
        lambda pattern: lambda s: s.remove_derived_files(pattern),
        st.sampled_from(["days/touched/*", "chain-counts/*", "chains*"]),
    ),
)


def list_questions() -> Iterator[TraceQuery]:
    for number in range(1, 4):
        yield TraceQuery(identity=name_role(number), limit=1)
    yield TraceQuery(identity=name_role(1), limit=3, outcome="success")
    yield TraceQuery(identity=name_role(1), limit=2, since=NOW - 2 * DAY)
    yield TraceQuery(identity=name_role(1), credential="cred:1", limit=1)
    yield TraceQuery(credential="cred:2", limit=1)
    yield TraceQuery(identity="role-2", limit=1)
    yield TraceQuery(person=ADA, limit=1)


QUESTIONS = tuple(list_questions())


def answer_all(
    root: Path, questions: Iterable[TraceQuery] = QUESTIONS
) -> list[int | None]:
    """Answer each question; return the totals, None where no event has a name."""
    found: list[int | None] = []
    with EvidenceStore.open(root, now=NOW) as store:
        for question in questions:
            try:
                found.append(trace_events(store, question, now=NOW).total)
            except UsageError:
                found.append(None)
    return found


def check_totals(root: Path) -> None:
    """Check the total of each question against those of a search of all rows."""
    totals = answer_all(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_store_chains, "count_events_of_chains", lambda *_: None)
        assert totals == answer_all(root)


def test_counts_of_a_store_with_a_lost_segment_end_with_the_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_stores_for_large(monkeypatch)
    history = LossyHistory(tmp_path)
    for day in (4, 2, 1):
        history.ingest(day, 40, sealed=True)
    check_totals(tmp_path)
    history.lose(0)
    check_totals(tmp_path)
    history.remove_derived_files("chain*")
    check_totals(tmp_path)
    history.find_lost()
    check_totals(tmp_path)


def take_stores_for_large(patch: pytest.MonkeyPatch) -> None:
    """Take every store for a large one, with a few events in its newest window."""
    patch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    patch.setattr(chain_cache, "_LOOKUP_EVENTS", -1)
    patch.setattr(segment_scope, "_FIRST_WINDOW_EVENTS", 2)
    patch.setattr(segment_scope, "_WINDOW_GROWTH", 1)
    patch.setattr(investigation_queries, "_MAX_COUNTED_WINDOW", 0)


@settings(max_examples=5, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=4))
def test_a_total_is_the_number_of_matching_events(
    steps: list[Callable[[LossyHistory], None]],
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        with pytest.MonkeyPatch.context() as patch:
            take_stores_for_large(patch)
            history = LossyHistory(root / "store")
            history.ingest(2, 40, sealed=True)
            history.ingest(1, 30, sealed=True)
            answer_all(history.root, QUESTIONS[::4])  # writes derived files
            for step in steps:
                step(history)
            check_totals(history.root)
    finally:
        shutil.rmtree(root)


def test_the_total_of_an_identity_takes_no_search_of_all_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_stores_for_large(monkeypatch)
    history = LossyHistory(tmp_path)
    for day in (4, 2, 1):
        history.ingest(day, 40, sealed=True)
    check_totals(tmp_path)
    questions = [each for each in QUESTIONS if each.identity == name_role(1)][:1]
    questions.append(TraceQuery(credential="cred:2", limit=1))
    expected = []
    for question in questions:
        with EvidenceStore.open(tmp_path, now=NOW) as store:
            expected.append(trace_events(store, question, now=NOW))
    for path in sorted(tmp_path.glob("segments/*/*.parquet"))[:-2]:
        path.write_bytes(bytes(path.stat().st_size))  # not read
    for question, answer in zip(questions, expected, strict=True):
        with EvidenceStore.open(tmp_path, now=NOW) as store:
            found = trace_events(store, question, now=NOW)
        assert (found.items, found.total) == (answer.items, answer.total)
        assert found.total > 10


@pytest.mark.parametrize(
    ("identity", "counted"),
    [
        (name_role(1), True),
        ("arn:aws-cn:sts::123456789012:assumed-role/a/b", True),
        ("arn:aws:s3:::data", False),
        ("arn:iam", False),
        ("arn:aws:iamx::1:a", False),
        ("iam", False),
        ("system:serviceaccount:a:b", False),
        ("", False),
    ],
)
def test_the_files_of_touched_identities_name_what_is_asked_of_them(
    store: EvidenceStore, identity: str, counted: bool
) -> None:
    store.append([event(1, resource=identity)], NOW)
    store.seal(NOW)
    files = list_lineage_files(store, TOUCHED)
    shown = {"touched": ParquetTable(tuple(files))}
    rows = store.run_query("SELECT touched FROM touched", (), shown)
    assert (rows == [(identity,)]) == counted == is_touch_counted(identity)


@pytest.mark.parametrize(
    "field", ["resource", "created", "deleted", "issued_to", "resources"]
)
def test_an_identity_is_touched_wherever_an_event_names_it(
    store: EvidenceStore, field: str
) -> None:
    role = name_role(1)
    named: Any = {field: ("", role) if field == "resources" else role}
    store.append([event(1, **named), event(2, resource="arn:aws:s3:::data")], NOW)
    store.seal(NOW)
    shown = {"touched": ParquetTable(tuple(list_lineage_files(store, TOUCHED)))}
    rows = store.run_query("SELECT touched, events FROM touched", (), shown)
    assert rows == [(role, 1)]
