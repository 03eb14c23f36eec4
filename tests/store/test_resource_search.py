"""Law of questions about a resource: their answers are those of a search of all rows."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent, EventOutcome
from answerable.services.lineage import (
    chain_cache,
    large_store_chains,
    resource_filter,
)
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store import resource_days, resource_search
from answerable.store.resource_search import ResourceAnswer
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.trace import trace_events
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.store.test_chain_totals import (
    ADA,
    DAY,
    STEPS,
    LossyHistory,
    take_stores_for_large,
)

BUCKET = "arn:aws:s3:::data"
EVERY_EVENT = f"{BUCKET}/every"


def name_object(number: int) -> str:
    return f"{BUCKET}/year={number % 3}/part-{number % 5}"


def make_event(number: int, day: int) -> AuditEvent:
    """Make an event with other resources, or with another record of the same id."""
    others: tuple[str, ...] = ()
    if number % 4 == 1:
        others = (name_object(number + 1), f"{BUCKET}/{ADA}")
    if number % 6 == 2:
        others = (name_object(number), name_object(number))
    native = {"native": f"native-{number - 1}"} if number % 9 == 8 else {}
    return event(
        number,
        event_time=NOW - day * DAY + (number - bool(native)) * DAY // 97,
        raw=f"raw-{number}",
        credential=f"cred:{number % 4}",
        person=f"person:{ADA}" if number % 7 == 3 else "",
        outcome=EventOutcome.DENIED if number % 5 == 0 else EventOutcome.SUCCESS,
        resource=EVERY_EVENT if number % 10 == 7 else name_object(number // 2),
        resources=others,
        **native,
    )


class ResourceHistory(LossyHistory):
    """Steps of the life of a store whose events name many resources."""

    def ingest(self, day: int, count: int, *, sealed: bool) -> None:
        with EvidenceStore.open(self.root, now=NOW) as store:
            numbers = range(self.number, self.number + count)
            store.append([make_event(n, day + n % 2) for n in numbers], NOW)
            if sealed:
                store.seal(NOW)
        self.number += count

    def damage(self, number: int) -> None:
        """Cut the file of a segment."""
        files = sorted(self.root.glob("segments/*/*.parquet"))
        if files:
            file = files[number % len(files)]
            file.write_bytes(file.read_bytes()[:-9])


OWN_STEPS = st.builds(
    lambda pattern: lambda s: s.remove_derived_files(pattern),
    st.sampled_from(["days/resources/*", "chains*"]),
)


def list_questions() -> Iterator[TraceQuery]:
    day = NOW // DAY * DAY
    for resource, limit in (
        (name_object(1), 1),
        (name_object(2), 1000),
        (EVERY_EVENT, 4),
        (f"{BUCKET}/year=1/*", 4),
        (f"{BUCKET}/year=?/part-3", 1000),
        ("s3://data/year=2/", 1),
        ("part-4", 1000),
        (ADA, 2),
        ("arn:aws:s3:::nothing", 1),
    ):
        yield TraceQuery(resource=resource, limit=limit)
    for resource in (name_object(3), f"{BUCKET}/*"):
        yield TraceQuery(resource=resource, limit=2, outcome="denied")
        yield TraceQuery(resource=resource, limit=2, source="cloudtrail")
        yield TraceQuery(resource=resource, limit=2, action="s3:Get*")
        yield TraceQuery(resource=resource, limit=2, credential="cred:1")
        for since, until in (
            (day - 2 * DAY, 0),
            (day - 9 * DAY // 4, day - 7 * DAY // 8),
        ):
            yield TraceQuery(resource=resource, limit=3, since=since, until=until)


def answer_all(root: Path) -> list[Any]:
    """Answer each question."""
    found: list[Any] = []
    with EvidenceStore.open(root, now=NOW) as store:
        for question in list_questions():
            try:
                answer = trace_events(store, question, now=NOW)
            except UsageError as error:
                found.append((question, error.message))
                continue
            # Suggestions of names are those of sealed events.
            searched = answer.searched.partition(";")[0]
            found.append((question, answer.items, answer.total, searched))
    return found


def search_all_rows(*_: object) -> ResourceAnswer:
    return ResourceAnswer()


def check_answers(root: Path) -> None:
    """Check each answer against that of a search of all rows."""
    found = answer_all(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_store_chains, "search_resource", search_all_rows)
        patch.setattr(resource_filter, "suggest_resources", lambda *_: None)
        expected = answer_all(root)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == theirs


def take_store_for_large(patch: pytest.MonkeyPatch, most_read: int) -> None:
    take_stores_for_large(patch)
    patch.setattr(resource_search, "_MIN_EVENTS", -1)
    patch.setattr(resource_search, "_MAX_READ_EVENTS", most_read)
    patch.setattr(resource_search, "_FILES_AT_ONCE", 2)
    patch.setattr(resource_days, "MAX_NAMES", 2)


@settings(max_examples=5, deadline=None)
@given(
    st.lists(st.one_of(STEPS, OWN_STEPS), min_size=1, max_size=4),
    st.sampled_from([3, 5_000]),
    st.sampled_from([None, 0, 1, 2, 3]),
)
def test_an_answer_is_that_of_a_search(
    steps: list[Callable[[LossyHistory], None]], most_read: int, damaged: int | None
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        with pytest.MonkeyPatch.context() as patch:
            take_store_for_large(patch, most_read)
            history = ResourceHistory(root / "store")
            history.ingest(40, 20, sealed=True)
            history.ingest(2, 40, sealed=True)
            history.ingest(1, 30, sealed=True)
            answer_all(history.root)  # writes derived files
            for step in steps:
                step(history)
            if damaged is not None:
                history.damage(damaged)
            check_answers(history.root)
    finally:
        shutil.rmtree(root)


def test_a_total_of_many_events_takes_no_search_of_all_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_store_for_large(monkeypatch, 3)
    history = ResourceHistory(tmp_path)
    for day in (4, 2, 1):
        history.ingest(day, 40, sealed=True)
    question = TraceQuery(resource=f"{BUCKET}/*", limit=5)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        chain_cache.write_current_chain_file(store)
        first = trace_events(store, question, now=NOW)
    for path in sorted(tmp_path.glob("segments/*/*.parquet"))[:-2]:
        path.write_bytes(bytes(path.stat().st_size))  # not read
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        again = trace_events(store, question, now=NOW)
    assert (again.items, again.total) == (first.items, 120)
    assert first.total == 120


def test_days_of_an_old_month_share_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_store_for_large(monkeypatch, 5_000)
    history = ResourceHistory(tmp_path)
    for day in (70, 60, 2, 1):
        history.ingest(day, 10, sealed=True)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        found = resource_days.count_resource_days(
            store, [f"{BUCKET}/*"], (0, NOW // DAY)
        )
        assert found is not None
        assert sum(found.first.values()) == 40
    names = {each.name for each in tmp_path.glob("derived/days/resources/*")}
    days = {each.name for each in tmp_path.glob("segments/*")}
    assert {name.count("-") for name in names} == {3, 4}
    assert sum(name.startswith("2026-11-") for name in names) == 1
    assert sum(name.startswith("day=2026-11-") for name in days) == 4


def test_a_question_of_a_few_events_writes_no_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_store_for_large(monkeypatch, 5_000)
    monkeypatch.setattr(resource_search, "_MIN_EVENTS", 1_000)
    history = ResourceHistory(tmp_path)
    history.ingest(1, 10, sealed=True)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        assert trace_events(store, TraceQuery(resource=EVERY_EVENT), now=NOW).items
    assert not [*tmp_path.glob("derived/days/resources/*")]
