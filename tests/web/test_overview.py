"""The overview: counts equal the lists; viewers see neither activity nor findings."""

import html
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.model.documents.finding import FindingItem
from answerable.store.store import EvidenceStore
from answerable.usecases.posture.list_findings import list_findings
from answerable.web.navigation import count_entries
from answerable.web.pages import findings
from answerable.web.pages.overview import QUESTIONS, build_overview
from answerable.web.route_table import ROUTES
from answerable.web.routing import DocumentAnswer, PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import SOURCES, answer, shown, visitor
from tests.web.markup_checks import markup_faults


def links(page: str) -> list[str]:
    main = page.partition("<main")[2].partition("</main")[0]
    return [html.unescape(to) for to in re.findall(r'href="(/[^"]*)"', main)]


def test_each_figure_is_that_of_the_list_it_leads_to(
    desk: StoreCache, viewer: Visitor
) -> None:
    page = shown(desk, viewer, "/")
    assert markup_faults(page) == []
    figures = re.findall(
        r'<li(?: class="zero")?><a href="(/(?:agents|identities|credentials|tools)[^"]*)">[^<]*</a> '
        r"<span>([\d,]+)</span>",
        page,
    )
    assert len(figures) >= 7
    for to, count in figures:
        parts = urlsplit(html.unescape(to))
        made = answer(desk, viewer, parts.path, **dict(parse_qsl(parts.query)))
        assert isinstance(made, PageAnswer)
        assert made.values["total"] == int(count.replace(",", "")), to


def test_every_link_leads_to_a_route_that_takes_it(
    desk: StoreCache, admin: Visitor
) -> None:
    takes = {
        route.path: set(route.parameters) for route in ROUTES if route.method == "GET"
    }
    for to in links(shown(desk, admin, "/")):
        parts = urlsplit(to)
        if parts.path.startswith("/assets/"):
            continue
        assert parts.path in takes, to
        assert {name for name, _ in parse_qsl(parts.query)} <= takes[parts.path], to


def test_a_viewer_sees_nothing_of_deeds(desk: StoreCache, viewer: Visitor) -> None:
    page = shown(desk, viewer, "/")
    assert "decisions of the last day" not in page
    assert "open approval requests" not in page
    assert "Activity is not shown" in page
    assert "/decision" not in page
    seen = shown(desk, visitor(WebRole.INVESTIGATOR), "/")
    assert "decisions of the last day" in seen
    assert "of yours" in shown(desk, visitor(WebRole.OWNER), "/")


def test_worst_findings_are_the_gravest_of_the_findings_list(
    desk: StoreCache,
) -> None:
    investigator = visitor(WebRole.INVESTIGATOR)
    view = desk.current_view()
    with desk.open_store() as store:
        command = list_findings(store, view.inventory, now=view.at)
        items = cast("list[FindingItem]", list(command.items))
    listed = [each for each in items if each["state"] == "open"]
    gravest = list({each["rule"]: each for each in reversed(listed)}.values())
    gravest.sort(key=listed.index)
    page = shown(desk, investigator, "/")
    worst = page.partition('<ol class="worst">')[2].partition("</ol>")[0]
    linked = re.findall(r'href="/finding\?id=([^"]*)"', worst)
    assert [unquote(each) for each in linked] == [e["id"] for e in gravest[:3]]
    for each in gravest[:3]:
        assert html.escape(each["title"]) in worst
        assert each["because"] is not None
        assert each["because"]["reach"] in worst
    assert f"All {len(listed):,} open findings" in page
    not_evaluated = sum(each["state"] == "not-evaluated" for each in items)
    assert f"{not_evaluated} rules</a> could not be evaluated" in page


def test_a_viewer_sees_no_finding(desk: StoreCache, viewer: Visitor) -> None:
    page = shown(desk, viewer, "/")
    assert "/finding" not in page
    assert "only investigators see them" in page


def test_findings_of_a_large_estate_are_computed_in_the_background(
    desk: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(findings, "_INLINE_IDENTITIES", -1)
    monkeypatch.setattr(findings, "FINDINGS", "not computed yet")
    monkeypatch.setattr(
        desk, "start_in_background", lambda name, _: started.append(name)
    )
    page = shown(desk, visitor(WebRole.INVESTIGATOR), "/")
    assert "being computed" in page
    assert 'critical findings</a> <span class="unknown">not known' in page
    assert "findings" in started


def test_the_api_has_the_counts_of_the_page(desk: StoreCache, admin: Visitor) -> None:
    items = build_overview(desk, admin).items
    assert [q for q in QUESTIONS if any(e["question"] == q for e in items)] == list(
        QUESTIONS
    )
    page = shown(desk, admin, "/")
    assert page.index(QUESTIONS[0]) < page.index(QUESTIONS[5])
    answered = answer(desk, admin, "/api/v1/overview")
    assert isinstance(answered, DocumentAnswer)
    assert list(answered.document.items) == items


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCache]:
    place = tmp_path_factory.mktemp("nothing") / "store"
    EvidenceStore.open(place, now=1).close()
    desk = StoreCache(place)
    yield desk
    desk.close()


def test_an_empty_store_says_what_would_fill_it(nothing: StoreCache) -> None:
    for roles in ((WebRole.VIEWER,), (WebRole.ADMIN, WebRole.OWNER)):
        page = shown(nothing, visitor(*roles), "/")
        assert "answerable scan" in page
        assert "answerable ingest" in page
        assert markup_faults(page) == []


def test_the_overview_has_the_trend_once_it_is_computed(
    tmp_path, monkeypatch, admin
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sample(Path(), time.time_ns())
    own = ["--quiet", "--store", "store"]
    for sources in (SOURCES[:2], SOURCES):
        assert main([*own, "scan", *sources]) == 0
    cache = StoreCache(tmp_path / "store")
    tasks: list[Callable[[StoreCache], object]] = []
    monkeypatch.setattr(
        cache, "start_in_background", lambda _, task: tasks.append(task)
    )
    assert "Since the scan before" not in shown(cache, admin, "/")  # it does not wait
    for task in tasks:
        task(cache)
    page = shown(cache, admin, "/")
    assert re.findall(r"Open by scan: \d+ → \d+\. Since the scan before: \d+ new", page)
    assert 'href="/findings/trend"' in page
    cache.close()


@pytest.fixture(scope="module")
def logged(
    estate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreCache]:
    """Give a store that has a log and no scan."""
    place = tmp_path_factory.mktemp("logged") / "store"
    log = f"cloudtrail:{estate / 'trail'}"
    assert main(["--quiet", "--store", str(place), "ingest", log]) == 0
    cache = StoreCache(place)
    yield cache
    cache.close()


def test_what_only_a_log_names_is_counted_as_a_minimum(logged: StoreCache) -> None:
    who = visitor(WebRole.INVESTIGATOR)
    items = {each["measure"]: each for each in build_overview(logged, who).items}
    for measure in ("identities", "credentials", "static credentials"):
        assert items[measure]["count"], measure
        assert not items[measure]["complete"], measure
    home = shown(logged, who, "/")
    assert ">identities</a> <span>at least 1</span>" in home
    assert ">agent identities without an owner</a> <span>0" not in home
    listed = shown(logged, who, "/identities")
    assert "<small>at least 1</small>" in listed
    assert "1 of at least 1 identities" in listed
    risks = shown(logged, who, "/reach/all")
    assert "1 of at least 1 identities" in risks
    assert "1 of them not known" in risks
    assert count_entries(logged, who)["/identities"] == "1+"


def test_a_list_that_only_a_log_fills_names_the_missing_data(
    logged: StoreCache, capsys: pytest.CaptureFixture[str]
) -> None:
    answered = answer(logged, visitor(WebRole.VIEWER), "/api/v1/identities")
    assert isinstance(answered, DocumentAnswer)
    assert "identity-policies" in answered.document.coverage["not_collected"]
    assert main(["--store", str(logged.root), "identities"]) == 0
    assert "not scanned" in capsys.readouterr().out


def test_the_number_of_open_findings_is_that_of_the_list_it_leads_to(
    desk: StoreCache,
) -> None:
    who = visitor(WebRole.INVESTIGATOR)
    total = findings.select_worst_findings(desk).total
    listing = findings.findings(desk)
    assert total < len(listing.items)
    assert f"All {total} open findings" in shown(desk, who, "/")
    listed = shown(desk, who, "/findings", state="open")
    assert f"<h1>Findings <small>{total} of " in listed
