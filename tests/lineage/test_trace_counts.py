"""Counts over a whole trace, against the rows that they count."""

import itertools
from collections import Counter

import pytest

from answerable.lineage.search_query import parse_search_query
from answerable.model.errors import UsageError
from answerable.services.inventory import snapshots
from answerable.services.lineage import lineage_search
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.event_counts import FIELDS
from answerable.services.lineage.trace_rows import HOPS, TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage import search_events
from answerable.usecases.lineage.count_events import (
    count_by_fields,
    count_hop_statuses,
)
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import ACCOUNT, NOW, keep, made

ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"
QUESTIONS = (
    TraceQuery(),
    TraceQuery(identity=ANA),
    TraceQuery(action="s3:*"),
    TraceQuery(identity="*", action="*Get*"),
)


def value(item, name: str) -> str | None:
    if name in item["hops"]:
        return item["hops"][name]["value"] or None
    return item["event_time"][:10] if name == "day" else item[name] or None


@pytest.mark.parametrize("question", QUESTIONS)
def test_counts_are_those_of_the_rows(day: EvidenceStore, question) -> None:
    rows = trace_events(day, question, now=NOW).items
    assert rows
    for fields in [*itertools.combinations(FIELDS, 2), (FIELDS[0],), FIELDS]:
        slow = Counter(tuple(value(row, name) for name in fields) for row in rows)
        document = count_by_fields(day, question, ",".join(fields), now=NOW)
        told = {
            tuple(item[name] for name in fields): item["events"]
            for item in document.items
        }
        assert told == slow
        counts = [item["events"] for item in document.items]
        assert counts == sorted(counts, reverse=True)
        assert document.total == -1


def test_the_largest_counts_say_of_how_many(day: EvidenceStore) -> None:
    every = count_by_fields(day, TraceQuery(), "action", now=NOW).items
    document = count_by_fields(day, TraceQuery(limit=2), "action", now=NOW)
    assert list(document.items) == list(every[:2])
    assert document.total == len(every) > 2


def test_counts_have_the_first_and_the_last_time_and_the_denied_calls(
    day: EvidenceStore,
) -> None:
    rows = trace_events(day, TraceQuery(), now=NOW).items
    document = count_by_fields(day, TraceQuery(), "action,person", now=NOW)
    for item in document.items:
        own = [
            row
            for row in rows
            if value(row, "action") == item["action"]
            and value(row, "person") == item["person"]
        ]
        assert item["first"] == min(row["event_time"] for row in own)
        assert item["last"] == max(row["event_time"] for row in own)
        for name, outcome in (("denied", "denied"), ("outcome_unknown", "unknown")):
            assert item[name] == sum(row["outcome"] == outcome for row in own)
    assert sum(item["denied"] for item in document.items) > 0


def test_equal_chains_are_one_group(day: EvidenceStore) -> None:
    rows = trace_events(day, TraceQuery(), now=NOW).items
    document = count_by_fields(day, TraceQuery(), "chain", now=NOW)
    chains = Counter(tuple(value(row, hop) for hop in HOPS) for row in rows)
    assert {
        tuple(item[hop] for hop in HOPS): item["events"] for item in document.items
    } == chains


def test_an_unknown_field_is_refused_with_the_nearest(day: EvidenceStore) -> None:
    with pytest.raises(UsageError, match="unknown field for --by") as error:
        count_by_fields(day, TraceQuery(), "agnet,action", now=NOW)
    assert error.value.hint == "did you mean agent?"
    with pytest.raises(UsageError, match="twice"):
        count_by_fields(day, TraceQuery(), "agent, agent", now=NOW)


def test_no_count_says_in_what_it_looked(day: EvidenceStore) -> None:
    document = count_by_fields(
        day, TraceQuery(resource="s3://nothing"), "agent", now=NOW
    )
    assert document.items == []
    assert document.searched.startswith("events searched: 18 of cloudtrail")


@pytest.mark.parametrize("text", ["", "identity:ana", "reports", "ana outcome:success"])
def test_hops_are_counted_over_all_that_fits(day: EvidenceStore, text) -> None:
    inventory, chains = (
        snapshots.load_inventory(day, now=NOW),
        load_or_compute_chains(day),
    )
    scene = lineage_search.SearchScope(inventory, chains)
    asked = lineage_search.build_event_filter(scene, parse_search_query(text), now=NOW)
    document, _ = search_events.search_lineage_rows(day, scene, asked, now=NOW)
    counts = count_hop_statuses(day, chains, asked)
    assert len(document.items) > 1
    for name in HOPS:
        slow = Counter(item["hops"][name]["status"] for item in document.items)
        assert counts[name] == slow


def test_an_event_that_came_meanwhile_is_counted(day: EvidenceStore) -> None:
    before = load_or_compute_chains(day)
    keep(day, [made(700, identity=f"arn:aws:iam::{ACCOUNT}:user/new")])
    scene = lineage_search.SearchScope(snapshots.load_inventory(day, now=NOW), before)
    asked = lineage_search.build_event_filter(scene, parse_search_query(""), now=NOW)
    document, _ = search_events.search_lineage_rows(day, scene, asked, now=NOW)
    counts = count_hop_statuses(day, before, asked)
    for name in HOPS:
        slow = Counter(item["hops"][name]["status"] for item in document.items)
        assert counts[name] == slow
        assert slow.total() == 19
