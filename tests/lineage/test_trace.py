"""Questions over a small trail, and what the answers rest on."""

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.lineage.search_query import parse_search_query
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.person import OwnerEvidence
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory import snapshots
from answerable.services.inventory.owners_from_audit_logs import collect_audit_log_facts
from answerable.services.lineage import lineage_search
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store import lineage_facts
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from answerable.usecases.lineage import search_events
from answerable.usecases.lineage.run_sql import run_sql_query
from answerable.usecases.lineage.score_sources import count_hop_coverage
from answerable.usecases.lineage.trace import trace_events
from tests.inventory.fact_builders import human
from tests.inventory.stored_scans import save
from tests.lineage.conftest import ACCOUNT, NOW, ask, keep, made

USER = f"arn:aws:iam::{ACCOUNT}:user/ana"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"


def actions(items: list[TraceItem]) -> list[str]:
    return [item["hops"]["action"]["value"] for item in items]


def test_an_event_under_a_role_leads_back_to_the_user_who_assumed_it(
    day: EvidenceStore,
):
    (item,) = ask(day, action="s3:getobject")
    assert item["identity_path"] == [USER, ROLE]
    assert item["credential_path"] == [
        "cred:aws/AKIAIOSFODNN7EXAMPLE",
        "cred:aws/ASIAIOSFODNN7EXAMPL1",
    ]
    assert item["credential_from"] == "2026-11-03T10:00:05Z"
    assert item["credential_to"] == "2026-11-03T11:00:05Z"
    person = item["hops"]["person"]
    assert (person["value"], person["status"]) == ("person:ana", "inferred")
    assert "signed in as" in person["source"]
    assert item["hops"]["identity"]["status"] == "observed"
    assert item["hops"]["resource"]["value"] == "arn:aws:s3:::reports/2026/q3.csv"
    assert item["facts"]["self:session_name"] == "i-am-root"


def test_a_person_whom_the_provider_signed_in_is_observed_behind_the_role(
    day: EvidenceStore,
):
    (item,) = ask(day, action="iam:CreateAccessKey")
    person = item["hops"]["person"]
    assert (person["value"], person["status"]) == (
        "person:ben@corp.example",
        "observed",
    )


def test_a_service_at_the_origin_is_named_with_what_would_tell_the_person(
    day: EvidenceStore,
):
    (item,) = ask(day, action="secretsmanager:*")
    assert item["identity_path"][0] == "lambda.amazonaws.com"
    assert item["hops"]["person"]["status"] == "missing"
    assert "an owner of" in item["hops"]["person"]["source"]


@pytest.mark.parametrize("name", [ROLE, "ci/deploy", "role/ci/deploy"])
def test_a_deleted_role_answers_by_arn_and_by_name(
    day: EvidenceStore, name: str
) -> None:
    found = ask(day, identity=name)
    acted = [item for item in found if item["hops"]["identity"]["value"] == ROLE]
    assert actions(acted) == ["s3:GetObject", "s3:ListObjectsV2"]
    assert "sts:AssumeRoleWithWebIdentity" in actions(found)


@pytest.mark.parametrize("name", ["*deploy", "arn:aws:iam::*:role/ci/*", "ci/deplo?"])
def test_a_pattern_of_identities_answers_with_what_those_did(
    day: EvidenceStore, name
) -> None:
    found = ask(day, identity=name)
    assert actions(found) == ["s3:GetObject", "s3:ListObjectsV2"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("person", "an?"), ("credential", "*AKIAIOSFODNN7EXAMPLE"), ("agent", "*")],
)
def test_a_pattern_of_names_answers_for_each_that_fits(
    day: EvidenceStore, kind, name
) -> None:
    exact = {"person": "ana", "credential": "AKIAIOSFODNN7EXAMPLE"}
    found = ask(day, **{kind: name})
    alone = ask(day, **{kind: exact[kind]}) if kind in exact else []
    assert [each["event_id"] for each in found] == [each["event_id"] for each in alone]


def test_an_identity_that_never_acted_answers_with_what_was_done_to_it(
    day: EvidenceStore,
) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/partner"
    assert actions(ask(day, identity=arn)) == ["sts:AssumeRole"]
    assert ask(day, identity=arn, person="ben@corp.example") == []


def test_everything_downstream_of_a_credential_answers_for_it(
    day: EvidenceStore,
) -> None:
    found = ask(day, credential="cred:aws/AKIAIOSFODNN7EXAMPLE")
    assert "s3:GetObject" in actions(found)
    assert ask(day, credential="AKIAIOSFODNN7EXAMPLE") == found


def test_a_person_answers_by_handle_and_by_full_id(day: EvidenceStore) -> None:
    by_id = ask(day, person="person:ben@corp.example")
    assert by_id
    assert ask(day, person="ben@corp.example") == by_id
    assert ask(day, person="ben") == by_id


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("arn:aws:s3:::reports", 2),
        ("arn:aws:s3:::reports/*", 1),
        ("arn:aws:s3:::report?", 2),
        ("arn:aws:s3:::REPORTS", 0),
        ("*instance/i-0bbbbbbbbbbbbbbbb", 1),
        ("arn:aws:s3:::rep_rts", 0),
        ("arn:aws:s3:::%", 0),
    ],
)
def test_a_resource_pattern_meets_every_resource_of_an_event(day, pattern, count):
    assert len(ask(day, resource=pattern)) == count


def test_a_span_is_closed_at_its_start_and_open_at_its_end(day: EvidenceStore) -> None:
    (first, *_) = ask(day)
    (at,) = day.run_query("SELECT min(event_time) FROM events")[0]
    since = cast("int", at)
    assert ask(day, since=since, until=since + 1) == [first]
    with pytest.raises(UsageError, match="time range is empty"):
        ask(day, since=since, until=since)


def test_of_more_rows_than_the_limit_the_newest_come_in_order(
    day: EvidenceStore,
) -> None:
    every = ask(day)
    document = trace_events(day, TraceQuery(limit=3), now=NOW)
    assert list(document.items) == every[-3:]
    assert document.next == "answerable trace --limit 30"
    with pytest.raises(UsageError, match="at least 1"):
        ask(day, limit=0)


@pytest.mark.parametrize("by", [WrittenBy.SELF_REPORTED, WrittenBy.PLATFORM])
def test_rows_that_only_an_alias_of_doubt_finds_say_so(
    day: EvidenceStore, by: WrittenBy
):
    own, ben = len(ask(day, person="ana")), "ben@corp.example"
    his = ask(day, person=ben)
    persons = (human("ana"), human("ana", "ben@corp.example", "of-no-row", by=by))
    facts = SightedFacts(persons=persons)
    save(day, [Sync("home:~", "home", NOW, facts)], NOW)
    document = trace_events(day, TraceQuery(person="ana"), now=NOW)
    assert len(document.items) > own
    doubt = "a trusted statement that ben@corp.example is ana"
    is_doubted = not by.is_trusted_author
    assert (doubt in document.coverage["not_collected"]) is is_doubted
    named = [each for each in document.coverage["not_collected"] if "statement" in each]
    assert named == ([doubt] if is_doubted else [])
    for asked in ("", "*", "ben", ben, "of-no-row"):
        rest = trace_events(day, TraceQuery(person=asked), now=NOW).coverage[
            "not_collected"
        ]
        assert (doubt in rest) is (is_doubted and asked == "of-no-row")
    inventory, chains = (
        snapshots.load_inventory(day, now=NOW),
        load_or_compute_chains(day),
    )
    for only, said in ((None, named), (frozenset(), [])):
        scene = lineage_search.SearchScope(inventory, chains, only)
        asked = lineage_search.build_event_filter(
            scene, parse_search_query("person:ana"), now=NOW
        )
        document, _ = search_events.search_lineage_rows(
            day, scene, asked, now=NOW, person="ana"
        )
        found = document.coverage["not_collected"]
        assert [each for each in found if "statement" in each] == said
    # Nor does what somebody calls themselves take another's own name from them.
    assert (ask(day, person=ben) == his) is is_doubted


@pytest.mark.parametrize("kind", ["person", "agent", "tool", "identity", "credential"])
def test_a_name_that_nothing_knows_is_a_usage_error_with_a_hint(day, kind) -> None:
    with pytest.raises(UsageError, match=f"unknown {kind}") as error:
        ask(day, **{kind: "nobody-here"})
    assert error.value.hint


def test_a_near_miss_is_answered_with_the_right_spelling(day: EvidenceStore) -> None:
    with pytest.raises(UsageError) as error:
        ask(day, identity="ci/deplyo")
    assert "deploy" in error.value.hint


def test_an_ambiguous_name_lists_what_it_fits(store: EvidenceStore) -> None:
    keep(store, [made(n, identity=f"arn:aws:iam::{n:012}:role/x") for n in (1, 2)])
    with pytest.raises(AmbiguousError, match="matches 2"):
        ask(store, identity="x")


def test_a_store_without_events_answers_with_nothing(store: EvidenceStore) -> None:
    document = trace_events(store, TraceQuery(), now=NOW)
    assert not document.items
    assert document.coverage["not_collected"] == ["cloudtrail"]
    assert document.searched == ""


def test_a_question_that_no_event_fits_says_what_was_searched(
    day: EvidenceStore,
) -> None:
    document = trace_events(day, TraceQuery(action="dynamodb:Scan"), now=NOW)
    assert not document.items
    assert document.searched == "events searched: 18 of cloudtrail"
    assert document.coverage["seen"] == ["cloudtrail"]


def test_the_score_counts_every_event_once_per_hop(day: EvidenceStore) -> None:
    items = cast("list[dict[str, Any]]", list(count_hop_coverage(day, now=NOW).items))
    hops = ["person", "agent", "tool", "identity", "action", "resource"]
    assert [item["hop"] for item in items] == hops
    for item in items:
        statuses = ("observed", "declared", "inferred", "missing")
        assert sum(item[status] for status in statuses) == item["events"] == 18
    assert items[1]["missing"] == 18
    assert "gateway" in items[1]["supplied_by"]


# The trail as evidence of ownership.


def evidence_of(store: EvidenceStore, subject: str) -> tuple[OwnerEvidence, ...]:
    found = collect_audit_log_facts(store).evidence
    return tuple(each for each in found if each.subject == subject)


def test_who_created_a_role_is_evidence_after_the_role_is_gone(
    day: EvidenceStore,
) -> None:
    (evidence,) = evidence_of(day, ROLE)
    assert evidence.person == "person:ana"
    assert evidence.kind.value == "creator"
    inventory = snapshots.load_inventory(day, now=NOW)
    document: Document = ownership.show_owner(inventory, ROLE, now=NOW)
    assert "person:ana" in str(document.items)


def test_who_made_a_key_through_a_role_is_found_through_its_issuance(
    day: EvidenceStore,
):
    (evidence,) = evidence_of(day, "cred:aws/AKIAIOSFODNN7EXAMPL9")
    assert evidence.person == "person:ben@corp.example"


def test_keys_are_linked_to_whom_they_act_as_or_were_made_for(
    day: EvidenceStore,
) -> None:
    links = {
        link.credential: link.identity for link in collect_audit_log_facts(day).links
    }
    assert links["cred:aws/AKIAIOSFODNN7EXAMPLE"] == USER
    assert links["cred:aws/AKIAIOSFODNN7EXAMPL9"].endswith(":user/worker")


def test_who_assumes_a_role_most_is_evidence_and_a_tie_is_not(
    store: EvidenceStore,
) -> None:
    def assumed(number: int, who: str) -> object:
        return made(
            number,
            identity=f"arn:aws:iam::{ACCOUNT}:user/{who}",
            issued=f"cred:aws/ASIAEXAMPLE{number:06}",
            issued_to=ROLE,
        )

    keep(store, [assumed(n, "ana") for n in range(3)])  # type: ignore[misc]
    (evidence,) = evidence_of(store, ROLE)
    assert (evidence.person, evidence.kind.value) == ("person:ana", "frequent-assumer")
    keep(store, [assumed(n, "ben") for n in range(3, 6)])  # type: ignore[misc]
    assert evidence_of(store, ROLE) == ()


# What is derived may be thrown away, never believed blindly, and improves.


def test_an_identity_that_only_a_record_names_is_found(store: EvidenceStore) -> None:
    gone = f"arn:aws:iam::{ACCOUNT}:role/service/fresh-export"
    keep(store, [made(1, identity=USER, action="iam:DeleteRole", deleted=gone)])
    for name in ("fresh-export", "service/fresh-export", gone):
        assert actions(ask(store, identity=name)) == ["iam:DeleteRole"]
    with pytest.raises(UsageError, match="unknown identity"):
        ask(store, identity="export")
    keep(store, [made(2, identity=USER, deleted=gone.replace("service", "other"))])
    with pytest.raises(AmbiguousError):
        ask(store, identity="fresh-export")


def test_a_self_reported_event_has_no_observed_hop(store: EvidenceStore) -> None:
    said = made(1, identity=ROLE, person="person:boss")
    keep(store, [replace(said, written_by=WrittenBy.SELF_REPORTED)])
    (item,) = ask(store)
    hops = cast("dict[str, dict[str, str]]", item["hops"])
    for name, hop in hops.items():
        assert hop["status"] == "missing"
        # The record itself supplies no trusted value.
        assert hop["source"] != item["source"], name
        assert "no trusted record" not in hop["source"]


words = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30
)


@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(words, min_size=4, max_size=4))
def test_the_callers_own_words_change_no_hop(tmp_path_factory, said) -> None:
    """Every `self:` fact and session name is varied at once."""
    names = ("self:session_name", "self:source_identity", "self:user_agent")
    key = "cred:aws/ASIAEXAMPLE000001"
    plain = [
        made(1, identity=USER, issued=key, issued_to=ROLE),
        made(2, identity=ROLE, credential=key, session="arn:x/plain"),
    ]
    told = [
        replace(event, session=said[3], facts=tuple(zip(names, said, strict=False)))
        for event in plain
    ]
    answers = []
    for events in (plain, told):
        root = tmp_path_factory.mktemp("law") / "store"
        with EvidenceStore.open(root, now=NOW) as store:
            keep(store, events)
            answers.append([(i["hops"], i["identity_path"]) for i in ask(store)])
    assert answers[0] == answers[1]


# The view.


def test_the_lineage_view_has_every_event_once_with_its_hops(
    day: EvidenceStore,
) -> None:
    inventory = snapshots.load_inventory(day, now=NOW)
    query = (
        "SELECT person, person_status, identity, action, resource, credential_to "
        "FROM lineage WHERE action = 's3:GetObject'"
    )
    (row,) = run_sql_query(day, inventory, query, now=NOW).items
    assert row["person"] == "person:ana"
    assert row["person_status"] == "inferred"
    assert row["identity"] == ROLE
    (count,) = run_sql_query(
        day, inventory, "SELECT count(*) AS n FROM lineage", now=NOW
    ).items
    assert count["n"] == 18


def test_facts_name_a_console_session_by_the_user_it_belongs_to(
    day: EvidenceStore,
) -> None:
    found = {
        s.credential: s.person for s in lineage_facts.load_lineage_facts(day).sign_ins
    }
    assert found["cred:aws/ASIAIOSFODNN7EXAMPL7"] == "person:ana"
