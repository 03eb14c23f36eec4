"""Resources and names of a question as people type them, and parts of an answer."""

import pytest

from answerable.lineage.search_query import parse_search_query
from answerable.model.errors import AmbiguousError
from answerable.services.inventory import snapshots
from answerable.services.lineage import lineage_search
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage import search_events
from answerable.usecases.lineage.complete_query import suggest_alternatives
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import ACCOUNT, NOW, keep, made

OBJECT = "arn:aws:s3:::reports/2026/q3.csv"


def typed(store: EvidenceStore, text: str) -> list[str]:
    """Ids of the events of a resource, on the command line; as many in the box."""
    question = TraceQuery(resource=text)
    items = trace_events(store, question, now=NOW).items
    scene = lineage_search.SearchScope(
        snapshots.load_inventory(store, now=NOW), load_or_compute_chains(store)
    )
    asked = lineage_search.build_event_filter(
        scene, parse_search_query(f'resource:"{text}"'), now=NOW
    )
    document, _ = search_events.search_lineage_rows(store, scene, asked, now=NOW)
    ids = [str(item["event_id"]) for item in items]
    assert [str(item["event_id"]) for item in document.items] == ids[::-1]
    return ids


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("s3://reports/2026/q3.csv", 1),
        ("s3://reports/*", 1),
        ("s3://reports", 2),
        ("s3://reports/", 2),
        ("s3://reports/2026/", 1),
        ("s3://reports/2026", 0),
        ("s3://report", 0),
        ("reports/*", 1),
        ("report?/2026/*", 1),
        ("q3.csv", 1),
        ("reports/2026", 1),
        ("reports", 2),
        (OBJECT, 1),
        ("s3://nothing", 0),
    ],
)
def test_a_resource_is_taken_as_people_type_it(
    day: EvidenceStore, text, events
) -> None:
    assert len(typed(day, text)) == events


def test_an_event_is_found_by_its_id(day: EvidenceStore) -> None:
    (event,) = typed(day, OBJECT)
    spelled = f"{event[:8]}-{event[8:12]}-{event[12:16]}-{event[16:20]}-{event[20:]}"
    assert typed(day, event) == typed(day, spelled) == [event]
    assert typed(day, event[::-1]) == []
    scene = lineage_search.SearchScope(
        snapshots.load_inventory(day, now=NOW), load_or_compute_chains(day)
    )
    for text in (event, f"{event} outcome:success"):
        asked = lineage_search.build_event_filter(
            scene, parse_search_query(text), now=NOW
        )
        document, _ = search_events.search_lineage_rows(day, scene, asked, now=NOW)
        assert [item["event_id"] for item in document.items] == [event]


def test_part_of_a_name_is_taken_where_it_fits_one_thing(store: EvidenceStore) -> None:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("readers", "writers")]
    keep(store, [made(n, identity=role) for n, role in enumerate(roles)])
    (item,) = trace_events(store, TraceQuery(identity="READ"), now=NOW).items
    assert item["identity_path"] == [roles[0]]
    with pytest.raises(AmbiguousError, match="matches 2"):
        trace_events(store, TraceQuery(identity="ers"), now=NOW)


def test_where_no_event_fits_what_exists_is_offered(day: EvidenceStore) -> None:
    document = trace_events(
        day, TraceQuery(resource="s3://reports/2025/q3.csv"), now=NOW
    )
    assert document.searched.startswith("events searched: 18 of cloudtrail; there is ")
    assert "resource arn:aws:s3:::reports" in document.searched
    inventory, chains = (
        snapshots.load_inventory(day, now=NOW),
        load_or_compute_chains(day),
    )
    asked = parse_search_query("resource:s3://reports/2025/q3.csv")
    scene = lineage_search.SearchScope(inventory, chains)
    assert "resource arn:aws:s3:::reports" in suggest_alternatives(day, scene, asked)
    hidden = lineage_search.SearchScope(inventory, chains, frozenset())
    assert suggest_alternatives(day, hidden, asked) == ""


@pytest.mark.parametrize(
    ("field", "text", "named"),
    [
        ("identity", f"arn:aws:iam::{ACCOUNT}:user/ana", "identity {text}"),
        ("identity", f"arn:aws:iam::{ACCOUNT}:role/ana", "identity {user}"),
        ("identity", "*/ana?", "identity {user}"),
        ("person", "*ana@*", "person person:ana"),
        ("credential", "cred:aws/AKIA*", "credential cred:aws/AKIA"),
        ("agent", "*nothing-alike*", ""),
        ("tool", "*nothing-alike*", ""),
    ],
)
def test_each_name_of_an_empty_answer_is_looked_up(
    day: EvidenceStore, field, text, named
):
    """An action that nobody called leaves the answer empty, whatever the name."""
    asked = TraceQuery(**{field: text}, action="s3:DeleteBucket")
    said = trace_events(day, asked, now=NOW).searched
    user = f"arn:aws:iam::{ACCOUNT}:user/ana"
    expected = named.format(text=text, user=user)
    assert said.startswith("events searched: 18 of cloudtrail")
    assert (f"there is {expected}" in said) if named else ("there is" not in said)
    scene = lineage_search.SearchScope(
        snapshots.load_inventory(day, now=NOW), load_or_compute_chains(day)
    )
    query = parse_search_query(f'{field}:"{text}" action:s3:DeleteBucket')
    assert suggest_alternatives(day, scene, query) == said.partition("; ")[2]
    hidden = lineage_search.SearchScope(scene.inventory, scene.chains, frozenset())
    assert suggest_alternatives(day, hidden, query) == ""


def test_a_part_of_an_answer_says_of_how_many(day: EvidenceStore) -> None:
    assert trace_events(day, TraceQuery(limit=3), now=NOW).total == 18
    assert trace_events(day, TraceQuery(), now=NOW).total == -1
    ana = TraceQuery(identity=f"arn:aws:iam::{ACCOUNT}:user/ana")
    whole = len(trace_events(day, ana, now=NOW).items)
    one = TraceQuery(identity=ana.identity, limit=1)
    assert trace_events(day, one, now=NOW).total == whole > 1
