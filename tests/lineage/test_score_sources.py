"""Hops that a log supplies, of the store and of an export that is not stored."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from answerable.model.errors import UsageError
from answerable.model.log_hops import HOPS_OF_LOGS
from answerable.presentation.lineage_exports import export_lineage
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.score_sources import count_hop_coverage
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import DATA, NOW, keep, made

OKTA = {
    "uuid": "1",
    "published": "2026-11-03T10:00:00Z",
    "eventType": "application.user_membership.add",
    "actor": {"id": "00u1", "type": "User", "alternateId": "ana@corp.example"},
    "outcome": {"result": "SUCCESS"},
    "target": [{"id": "0oa1", "type": "AppInstance"}],
}


def scored(store: EvidenceStore, source: str = "") -> dict[str, dict[str, Any]]:
    items = count_hop_coverage(store, source, now=NOW).items
    return {str(item["hop"]): cast("dict[str, Any]", item) for item in items}


def test_an_export_is_scored_like_the_same_log_in_the_store_and_not_kept(
    day: EvidenceStore, store: EvidenceStore, tmp_path: Path
) -> None:
    of_store = scored(day, "cloudtrail")
    with EvidenceStore.open(tmp_path / "other", now=NOW) as other:
        of_export = scored(other, f"cloudtrail:{DATA / 'day.json'}")
        assert trace_events(other, TraceQuery(), now=NOW).items == []
    assert of_export == of_store
    assert len(of_store) == 6


def test_each_hop_names_the_fields_that_carry_it(
    store: EvidenceStore, tmp_path: Path
) -> None:
    export = tmp_path / "okta.json"
    bad = {**OKTA, "published": "never", "uuid": "2"}
    export.write_text(json.dumps([OKTA, bad]))
    document = count_hop_coverage(store, f"okta:{export}", now=NOW)
    items = {str(item["hop"]): item for item in document.items}
    assert items["person"]["observed"] == 1
    assert items["person"]["field"] == "actor.alternateId"
    assert items["agent"]["missing"] == 1
    assert (items["agent"]["can"], items["agent"]["field"]) == ("no", "")
    assert items["resource"]["observed"] == 1
    assert document.is_partial
    lines = list(export_lineage(document, "markdown"))
    assert "| agent | no | - | 0 | 0 | 0 | 1 |" in lines
    assert lines[-1] == "Not scored: 1 records could not be parsed"


def test_a_self_reported_log_supplies_no_hop(store: EvidenceStore) -> None:
    keep(
        store,
        [
            made(
                1,
                source="otel",
                written_by="self-reported",
                agent="agent:x/y",
                person="person:ana",
                resource="r",
            )
        ],
    )
    for item in scored(store, "otel").values():
        assert (item["observed"], item["missing"], item["can"]) == (0, 1, "no")


def test_a_source_without_events_is_an_error_not_a_zero(day: EvidenceStore) -> None:
    with pytest.raises(UsageError, match="no event of okta"):
        count_hop_coverage(day, "okta", now=NOW)
    with pytest.raises(UsageError, match="unknown event source"):
        count_hop_coverage(day, "oktta", now=NOW)


def test_what_is_observed_has_an_entry_with_its_fields(day: EvidenceStore) -> None:
    for hop, item in scored(day).items():
        if item["observed"]:
            assert HOPS_OF_LOGS["cloudtrail", hop].fields == item["field"] != ""


def test_a_chain_is_a_mermaid_flowchart_whatever_its_names(
    store: EvidenceStore,
) -> None:
    keep(store, [made(1, resource='a"]; x --> y["<b>', action="s3:Get`Object")])
    lines = list(export_lineage(trace_events(store, TraceQuery(), now=NOW), "mermaid"))
    assert lines[0] == "flowchart LR"
    assert '  c0_person0["person: not known"]:::missing' in lines
    (resource,) = [line for line in lines if line.startswith("  c0_act0[")]
    assert resource == '  c0_act0["a#quot;]; x --#gt; y[#quot;#lt;b#gt;"]'
