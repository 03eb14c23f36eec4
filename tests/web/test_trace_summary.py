"""Chains and facets over a query's whole answer, and the comparison of two windows."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from answerable.lineage.search_query import SearchQuery
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import PersonId
from answerable.model.person import Person
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.lineage_search import SearchScope, build_event_filter
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.summarize_events import (
    FACETS,
    EventSummary,
    summarize_events,
)
from answerable.web.pages import trace_summary
from answerable.web.visitor import WebRole
from tests.lineage.conftest import NOW, keep, made
from tests.lineage.test_token_service import call as gateway_call
from tests.web.api.conftest import told
from tests.web.conftest import answer, shown, visitor

REPORTER = "agent:claude-code/ana/reporter"
ROW = re.compile(
    r'<li><a (?:class="id" )?href="([^"]+)"[^>]*>.*?</a> <span class="n">([\d,]+)', re.S
)


def query_of(link: str) -> str:
    return parse_qs(urlsplit(html.unescape(link)).query)["q"][0]


def facet(page: str, name: str) -> list[tuple[str, int]]:
    part = page.partition(f'<h2 id="facet-{name}">')[2].partition("</section>")[0]
    return [(query_of(to), int(n.replace(",", ""))) for to, n in ROW.findall(part)]


def test_chains_of_the_whole_answer_are_counted_once_each(desk, admin) -> None:
    page = shown(desk, admin, "/trace/chains")
    assert "5 chains behind 216 events" in page
    items = told(desk, admin, "/trace/chains").document.items
    counted = told(desk, admin, "/trace/by", by="chain").document.items
    assert sorted(item["events"] for item in items) == sorted(
        item["events"] for item in counted
    )
    for item in items:
        actions = item["actions"]
        assert sum(each["events"] for each in actions) == item["events"]
        assert min(each["first"] for each in actions) == item["first"]
        assert max(each["last"] for each in actions) == item["last"]


@pytest.mark.parametrize("name", FACETS)
def test_a_facet_leads_to_as_many_events_as_it_counts(desk, admin, name) -> None:
    values = facet(shown(desk, admin, "/trace/chains"), name)
    assert values
    for query, count in values:
        page = shown(desk, admin, "/trace/chains", q=query)
        assert f" behind {count:,} event" in page, (query, count)


def test_a_missing_person_is_a_facet_value_of_its_own(desk, admin) -> None:
    page = shown(desk, admin, "/trace/chains")
    assert ("person:=", 4) in facet(page, "person")


def test_a_chain_leads_to_as_many_events_as_it_counts(desk, admin) -> None:
    found = answer(desk, admin, "/trace/chains").values
    assert len(found["rows"]) > 3
    for row in found["rows"]:
        page = shown(desk, admin, "/trace/chains", q=query_of(row.link))
        assert f"1 chain behind {row.item['events']:,} event" in page, row.link


def test_a_chain_unfolds_without_script_to_its_actions(desk, admin) -> None:
    page = shown(desk, admin, "/trace/chains", q="identity:tmp-export outcome:success")
    first = page.partition("<details class=")[2].partition("</details>")[0]
    assert "<summary>" in first
    assert "arn:aws:s3:::example-customer-data/customers/2026/part-00*" in first
    (link,) = re.findall(r'<a href="([^"]+)">Events of this chain', first)
    assert "events" in shown(desk, admin, "/trace", q=query_of(link))


def test_chains_are_ordered_and_an_unknown_order_is_refused(desk, admin) -> None:
    page = shown(desk, admin, "/trace/chains", sort="last")
    assert "<strong>last</strong>" in page
    assert answer(desk, admin, "/trace/chains", sort="x").status == 400
    assert answer(desk, admin, "/trace/chains", q="agnet:x").status == 400


def test_an_owner_sees_the_chains_of_their_own_agents_alone(desk) -> None:
    owner = visitor(WebRole.OWNER, owns=(REPORTER,))
    page = shown(desk, owner, "/trace/chains")
    assert "3 chains behind 212 events" in page
    assert "ci-deploy" not in page
    assert "Compare" not in page
    assert "No event matches" in shown(desk, visitor(WebRole.OWNER), "/trace/chains")


def test_values_that_no_record_before_has_are_listed(desk, admin) -> None:
    page = shown(desk, admin, "/trace/compare", q="since:2d", by="action")
    assert "iam:CreateRole" in page
    assert "s3:GetObject" not in page
    items = told(desk, admin, "/trace/first-seen", since="2d", by="action").document
    assert "iam:CreateRole" in {item["value"] for item in items.items}


def test_a_change_that_no_log_can_know_is_not_known(desk, admin) -> None:
    page = shown(desk, admin, "/trace/compare", view="compare", earlier="30d..7d")
    assert "not-known" in page
    assert "no trusted record of cloudtrail" in page
    states = told(
        desk, admin, "/trace/compare", earlier="30d..7d", since="7d"
    ).document.items
    assert {item["state"] for item in states} == {"not-known"}


@pytest.mark.parametrize(
    "said",
    [
        {"earlier": "x"},
        {"view": "x"},
        {"by": "x"},
        {"by": "agent,agent"},
        {"q": "agnet:x"},
        {"view": "compare", "earlier": "5d..now"},
        {"q": "since:1d until:2d"},
    ],
)
def test_a_comparison_that_cannot_be_made_says_why(desk, admin, said) -> None:
    page = answer(desk, admin, "/trace/compare", **said)
    assert page.status == 400
    whole = shown(desk, admin, "/trace/compare", **said)
    alert = whole[whole.index('role="alert"') :]
    alert = alert[: alert.index("</div>")]
    assert "--" not in alert  # options are of the command line


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    opened = EvidenceStore.open(tmp_path / "store", now=NOW)
    yield opened
    opened.close()


SIGN_IN = {"source": "web", "action": "web:sign-in", "written_by": WrittenBy.MEDIATOR}
NONCE = {
    "source": "sts",
    "action": "sts:exchange",
    "written_by": WrittenBy.MEDIATOR,
    "outcome": EventOutcome.DENIED,
    "facts": (("error", "use_dpop_nonce"),),
}


@pytest.mark.parametrize("person", ["person:ana@corp.example", ""])
def test_calls_with_other_tokens_are_one_chain(
    store: EvidenceStore, person: str
) -> None:
    # No record of the token service names these tokens yet.
    calls = [
        gateway_call(50 + number, shown=f"T{number}", person=person)
        for number in range(3)
    ]
    (chain,) = summary(store, *calls, own=False).chains
    assert chain["events"] == 3
    status = "observed" if person else "missing"
    assert (chain["person"]["value"], chain["person"]["status"]) == (person, status)
    assert chain["agent"]["source"].endswith("(and 2 more)")


def summary(store: EvidenceStore, *events: AuditEvent, own: bool) -> EventSummary:
    keep(store, list(events))
    inventory = load_inventory(store, now=NOW)
    scope = SearchScope(inventory, load_or_compute_chains(store))
    wanted = build_event_filter(scope, SearchQuery(), now=NOW)
    return summarize_events(store, scope.chains, wanted, with_own_protocols=own)


def test_the_facet_of_an_alias_leads_to_the_events_of_that_spelling(store) -> None:
    ana, alias = "person:ana@corp.example", "person:ana"
    calls = [gateway_call(50, shown="T1", person=ana)]
    calls += [gateway_call(60 + n, shown=f"T{n}", person=alias) for n in range(2, 4)]
    found = summary(store, *calls, own=False)
    seen = FactProvenance("people:a.csv", "a.csv", WrittenBy.PERSON, NOW)
    person = Person(PersonId(ana), "Ana", ("ana",), team=False, alive=True, seen=seen)
    inventory = replace(load_inventory(store, now=NOW), persons={PersonId(ana): person})
    scope = SearchScope(inventory, load_or_compute_chains(store))
    counts = {e["value"]: e["events"] for e in found.facets if e["field"] == "person"}
    assert counts == {ana: 1, alias: 2}
    every = SearchQuery().with_field("person", ana.removeprefix("person:"))
    selected = [
        (trace_summary.select_field_value(SearchQuery(), "person", value), count)
        for value, count in counts.items()
    ]
    for query, expected in [(every, 3), *selected]:
        wanted = build_event_filter(scope, query, now=NOW)
        assert summarize_events(store, scope.chains, wanted).total == expected


@pytest.mark.parametrize("own", [False, True])
def test_own_sign_ins_and_nonce_handshakes_are_folded_and_counted(store, own) -> None:
    found = summary(store, made(1), made(2, **SIGN_IN), made(3, **NONCE), own=own)
    assert found.own is not None
    assert found.own.events == 2
    assert found.total == (3 if own else 1)
    sources = {item["value"] for item in found.facets if item["field"] == "source"}
    assert ("sts" in sources) == own


@pytest.mark.parametrize(
    "event",
    [
        {**SIGN_IN, "outcome": EventOutcome.DENIED},
        {**SIGN_IN, "written_by": WrittenBy.SELF_REPORTED},
        {**NONCE, "facts": (("error", "invalid_grant"),)},
        {**NONCE, "written_by": WrittenBy.SELF_REPORTED},
        {**SIGN_IN, "source": "okta"},
    ],
)
def test_an_act_that_another_could_have_written_is_never_folded(store, event) -> None:
    found = summary(store, made(1), made(2, **event), own=False)
    assert (found.own, found.total) == (None, 2)


def test_chains_with_many_long_actions_fit_on_a_page(desk, admin, monkeypatch) -> None:
    hop = {"value": "agent:" + "a" * 80, "status": "inferred", "source": "s" * 150}
    counts = {"events": 9, "denied": 1, "outcome_unknown": 0}
    counts |= {"first": "2026-11-01T00:00:00Z", "last": "2026-11-02T00:00:00Z"}
    on = {"resource": "arn:aws:s3:::" + "b" * 150, "resource_is_prefix": True}
    actions = [{"action": f"s3:Action{n}", **counts, **on} for n in range(40)]
    chain = dict.fromkeys(("person", "agent", "tool", "identity"), hop)
    chain |= {"agent_path": [], "identity_path": [], **counts, **on}
    chain |= {"actions": actions}
    facets = [
        {"field": name, "value": f"{n}" + "c" * 200, **counts}
        for name in FACETS
        for n in range(50)
    ]
    values = dict.fromkeys(FACETS, 900)

    def show(chains: int) -> str:
        found = EventSummary([chain] * chains, facets, 9, None, values)
        monkeypatch.setattr(trace_summary, "summarize", lambda *_, **__: found)
        return shown(desk, admin, "/trace/chains")

    many = show(400)
    assert 100_000 < len(many) < 200 * 1024
    assert "400 chains behind" in many
    assert "39 more actions of this chain" in many
    assert 6 * len(FACETS) <= many.count('"n">9 <small class="denied">')
    alone = show(1)
    assert len(alone) < 200 * 1024
    assert "s3:Action39" in alone
    assert "more actions" not in alone
