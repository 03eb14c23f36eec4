"""Saved queries: one grammar for options, the search language and the store."""

import pytest

from answerable.lineage.search_query import parse_search_query
from answerable.model.errors import UsageError
from answerable.services.lineage.saved_queries import (
    QueryDraft,
    delete_saved_query,
    find_saved_query,
    list_saved_queries,
    merge_queries,
    save_query,
)
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import NOW


def saved(store: EvidenceStore, name: str, text: str, now: int = NOW) -> None:
    draft = QueryDraft(name, parse_search_query(text), "action")
    save_query(store, draft, "ana", now)


def test_the_last_query_of_a_name_counts_and_a_deleted_one_does_not(
    store: EvidenceStore,
) -> None:
    saved(store, "reads", "action:s3:Get*")
    saved(store, "denied", "outcome:denied since:7d")
    saved(store, "reads", 'action:s3:* "a b"', NOW + 1)
    assert find_saved_query(store, "reads").query == 'action:s3:* "a b"'
    assert [each.name for each in list_saved_queries(store)] == ["denied", "reads"]
    delete_saved_query(store, "reads", "ben", NOW + 2)
    with pytest.raises(UsageError) as error:
        find_saved_query(store, "reads")
    assert error.value.hint == "saved queries: denied"


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "../x"])
def test_a_malformed_name_is_refused(store: EvidenceStore, name: str) -> None:
    with pytest.raises(UsageError, match="invalid name"):
        saved(store, name, "")
    assert list_saved_queries(store) == []


def test_a_query_with_a_secret_is_refused(store: EvidenceStore) -> None:
    with pytest.raises(UsageError, match="contains a credential"):
        saved(store, "x", f"ghp_{'a1B2' * 9}")
    with pytest.raises(UsageError, match="contains a credential"):
        saved(store, "x", "resource:*db password=hunter2")
    saved(store, "x", "credential:AKIAIOSFODNN7EXAMPLE")
    saved(store, "y", "action:secretsmanager:GetSecretValue resource:*key/2026*")


def test_fields_given_later_take_precedence() -> None:
    base = parse_search_query("agent:a action:s3:* word")
    merged = merge_queries(base, parse_search_query("agent:b other"))
    assert merged.format_as_text == "agent:b action:s3:* word other"


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({"source": "cloudtrail"}, 18),
        ({"source": "okta"}, 0),
        ({"status": "person=observed"}, 4),
        ({"words": ("reports",)}, 2),
        ({"words": ("reports",), "outcome": "denied"}, 1),
    ],
)
def test_a_trace_takes_the_fields_of_the_search_language(
    day: EvidenceStore, fields: dict[str, object], matches: int
) -> None:
    query = TraceQuery(**fields)  # type: ignore[arg-type]  # test fields
    assert len(trace_events(day, query, now=NOW).items) == matches
