"""What is held in memory answers as the files do, whatever lies where."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.model.event import AuditEvent, EventOutcome
from answerable.store import decision_queries, event_queries, investigation_queries
from answerable.store.decision_queries import DecisionFilter
from answerable.store.event_alternative import EventAlternative
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.search_index import SearchIndex
from answerable.store.store import EvidenceStore

Make = Callable[..., AuditEvent]
_ROLE = "arn:aws:iam::123456789012:role/role-1"


def _decision(make: Make, number: int) -> AuditEvent:
    effect = "deny" if number % 2 else "allow"
    reason = "needs-approval" if number % 2 else "allowed"
    return make(
        number,
        source="gateway",
        decision_id=f"{number:032x}",
        outcome=EventOutcome.DENIED if number % 2 else EventOutcome.SUCCESS,
        facts=(("effect", effect), ("reason", reason), ("target", "tool")),
    )


def _fill(store: EvidenceStore, make: Make, now: int) -> None:
    """Three segments, one with decisions and two records of one id; and a tail."""
    store.append([make(n) for n in range(6)], now)
    store.seal(now)
    store.append([_decision(make, n) for n in range(10, 14)], now)
    store.append([make(20, raw="one")], now)
    store.append([make(20, raw="another")], now)
    store.seal(now)
    called = (("authorised_by", "s3:ListBucket"), ("category", "Data"))
    store.append([make(n, facts=called, resources=("r", _ROLE)) for n in (30, 23)], now)
    store.seal(now)
    store.append([make(40), _decision(make, 41)], now)


_WANTED = {
    "all": InvestigationFilter(EventFilter()),
    "of a time": InvestigationFilter(EventFilter(since=1_700_000_003_000_000_000)),
    "touching": InvestigationFilter(EventFilter(), (EventAlternative(about=_ROLE),)),
    "with a word": InvestigationFilter(
        EventFilter(), (EventAlternative(words=("WAREHOUSE/1",)),)
    ),
    "on a resource": InvestigationFilter(
        EventFilter(resources=["arn:aws:s3:::warehouse/?"])
    ),
    "of a log": InvestigationFilter(
        EventFilter(), equal_columns=[("source", "gateway")]
    ),
    "on what was listed": InvestigationFilter(EventFilter(resources=[_ROLE])),
}


def _answers(store: EvidenceStore) -> dict[str, object]:
    told: dict[str, object] = {
        name: investigation_queries.find_newest_events(store, wanted, limit)
        for name, wanted in _WANTED.items()
        for limit in (50,)
    }
    told |= {
        f"{n} by time": investigation_queries.count_events_over_time(store, w, 10**9)
        for n, w in _WANTED.items()
    }
    told["ends"] = investigation_queries.read_event_time_range(store)
    told["ids"] = [
        investigation_queries.find_events_by_id(store, e.event_id)
        for e in investigation_queries.find_newest_events(store, _WANTED["all"], 50)
    ]
    told["decisions"] = decision_queries.find_newest_decisions(
        store, DecisionFilter(), since=0, limit=9
    )
    told["denied"] = decision_queries.find_newest_decisions(
        store, DecisionFilter(effect="deny"), since=0, limit=2
    )
    told["effects"] = decision_queries.count_decisions_by_effect(
        store, DecisionFilter(), since=0
    )
    told["acts"] = decision_queries.list_blocked_calls(
        store, ["needs-approval"], since=0, limit=9, from_mediators=True
    )
    told["begin"] = decision_queries.find_decisions_by_prefix(store, "0000")
    told["recorded"] = (
        event_queries.read_account_log_spans(store),
        event_queries.read_logged_days(store),
    )
    told["sources"] = event_queries.count_events_by_source(store)
    return told


def _few(store: EvidenceStore) -> tuple[object, ...]:
    found = investigation_queries.find_newest_events(store, _WANTED["all"], 50)
    return found, decision_queries.find_newest_decisions(
        store, DecisionFilter(), since=0, limit=9
    )


@pytest.fixture(params=[0, 6, 100], ids=["none is held", "some are", "all are"])
def skimmed(
    request: pytest.FixtureRequest, place: Path, now: int
) -> Iterator[EvidenceStore]:
    skim = SearchIndex(request.param)
    with EvidenceStore.open(place, now=now, index=skim) as opened:
        yield opened
    skim.close()


def test_it_answers_as_files_do(
    skimmed: EvidenceStore, place: Path, make: Make, now: int
) -> None:
    with EvidenceStore.open(place, now=now) as plain:
        _fill(plain, make, now)
        expected = _answers(plain)
        assert (
            len(investigation_queries.find_newest_events(plain, _WANTED["all"], 50))
            == 16
        )
        assert _answers(skimmed) == expected
        assert _few(skimmed) == _few(plain), "what is kept whole is what was read"


def test_what_is_added_and_sealed_meanwhile_is_there_once(
    place: Path, make: Make, now: int
) -> None:
    skim = SearchIndex(6)
    with (
        EvidenceStore.open(place, now=now) as plain,
        EvidenceStore.open(place, now=now, index=skim) as skimmed,
    ):
        _fill(plain, make, now)
        assert _few(skimmed) == _few(plain)
        plain.append([make(50), _decision(make, 51)], now)
        assert _few(skimmed) == _few(plain)
        plain.seal(now)
        assert _few(skimmed) == _few(plain)
        plain.append([make(60)], now)
        plain.seal(now)
        assert _few(skimmed) == _few(plain)
    skim.close()


def test_two_threads_look_at_one_and_keep_their_tables_apart(
    place: Path, make: Make, now: int
) -> None:
    skim = SearchIndex()
    with (
        EvidenceStore.open(place, now=now, index=skim) as one,
        EvidenceStore.open(place, now=now, index=skim) as other,
    ):
        _fill(one, make, now)
        assert _few(one) == _few(other)
        wanted = replace(_WANTED["all"], alternatives=[EventAlternative(keys=[])])
        assert investigation_queries.find_newest_events(one, wanted, 9) == []
        assert (
            len(investigation_queries.find_newest_events(other, _WANTED["all"], 50))
            == 16
        )
    skim.close()


def test_what_was_found_in_a_tail_is_given_though_it_was_sealed_since(
    place: Path, make: Make, now: int
) -> None:
    skim = SearchIndex()
    with (
        EvidenceStore.open(place, now=now) as plain,
        EvidenceStore.open(place, now=now, index=skim) as store,
    ):
        plain.append([make(1), make(2)], now)
        places = store.run_query(
            "SELECT event_time, event_id, segment, row FROM skimmed ORDER BY ALL"
        )
        plain.append([make(3)], now)
        plain.seal(now)
        plain.append([make(4), make(5)], now)
        found = store.read_events_at(places)  # type: ignore[arg-type]  # rows of that shape
        assert [each.event_id for each in found] == [make(n).event_id for n in (1, 2)]
    skim.close()
