"""The list of findings and the page of one show what the command lists."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.model.errors import UsageError
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from answerable.usecases.posture.list_findings import list_findings
from answerable.web.http.errors import RequestRejected
from answerable.web.pages import finding_trend, findings
from answerable.web.pages.finding_trend import get_finding_trend, read_ages
from answerable.web.routing import DocumentAnswer, FileDownload
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, markup_faults


@pytest.fixture
def investigator() -> Visitor:
    return visitor(WebRole.INVESTIGATOR)


@pytest.fixture(scope="module")
def items(desk: StoreCache) -> list[dict[str, Any]]:
    found = answer(desk, visitor(WebRole.INVESTIGATOR), "/findings", **{"as": "json"})
    assert isinstance(found, FileDownload)
    listed: list[dict[str, Any]] = json.loads(found.body)["items"]
    return listed


def test_the_page_lists_what_the_command_lists_gravest_first(
    desk: StoreCache, items: list[dict[str, Any]]
) -> None:
    view = desk.current_view()
    with desk.open_store() as store:
        command = list_findings(store, view.inventory, now=view.at)
        listed = json.loads(json.dumps(list(command.items)))
    assert items == listed
    assert {each["state"] for each in items} >= {"open", "not-evaluated"}


def test_the_list_page_links_each_finding(
    desk: StoreCache, investigator: Visitor, items: list[dict[str, Any]]
) -> None:
    page = shown(desk, investigator, "/findings")
    assert markup_faults(page) == []
    assert page.count('href="/finding?id=') >= min(50, len(items))
    assert "coverage:" in page


def test_each_finding_has_a_page_with_its_repair(
    desk: StoreCache, investigator: Visitor, items: list[dict[str, Any]]
) -> None:
    for item in items:
        page = shown(desk, investigator, "/finding", id=item["id"])
        assert markup_faults(page) == []
        assert item["rule"] in page
        for each in item["missing"]:
            assert "Missing data" in page
            assert each["source"] in page
        if item["state"] == "open":
            assert "Repair" in page
            assert "Evidence" in page


def test_a_finding_whose_use_is_not_known_says_so(
    desk: StoreCache, investigator: Visitor, items: list[dict[str, Any]]
) -> None:
    unknown = [e for e in items if e["breaks"] == "not-known" and e["state"] == "open"]
    assert unknown
    page = shown(desk, investigator, "/finding", id=unknown[0]["id"])
    assert "not known: no log covers it" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_asked_for_comes_back_as_text(
    desk: StoreCache, investigator: Visitor, text: str
) -> None:
    assert markup_faults(shown(desk, investigator, "/findings", q=text)) == []
    with pytest.raises(RequestRejected):
        shown(desk, investigator, "/finding", id=text)
    with pytest.raises(UsageError):
        shown(desk, investigator, "/findings", sort=text)


def test_a_row_of_the_list_leads_to_its_decision(
    desk: StoreCache, investigator: Visitor, admin: Visitor
) -> None:
    page = shown(desk, admin, "/findings", state="open")
    assert markup_faults(page) == []
    assert '#review">accept</a>' in page
    assert '#review">assign</a>' in page
    assert "#review" not in shown(desk, admin, "/findings", state="not-evaluated")
    assert "#review" not in shown(desk, investigator, "/findings")  # cannot sign


def test_a_rule_without_data_shows_its_subject_as_any_other_row(
    desk: StoreCache, items: list[dict[str, Any]], admin: Visitor
) -> None:
    page = shown(desk, admin, "/findings", state="not-evaluated")
    lacking = {i["subject"] for i in items if i["state"] == "not-evaluated"}
    ids = {each for each in lacking if ":" in each}
    assert ids  # shortened, and whole in their titles
    assert {
        each for each in ids if f'<span class="id" title="{each}"' not in page
    } == set()
    for each in lacking - ids:
        assert f">{each}<" in page


def test_a_finding_has_the_age_of_the_first_scan_with_it(
    desk: StoreCache, investigator: Visitor
) -> None:
    get_finding_trend(desk)
    page = shown(desk, investigator, "/findings", state="open")
    assert '<th scope="col" class="p4">since</th>' in page
    # There is one scan: older ones may have had it.
    assert page.count("<small>or before</small>") == page.count('<tr><th scope="row">')
    ages = read_ages(desk)
    assert {age.is_oldest for age in ages.values()} == {True}
    (begin,) = {age.since for age in ages.values()}
    assert begin.endswith("Z")
    # A rule without data has no age, rather than a young one.
    assert "or before" not in shown(
        desk, investigator, "/findings", state="not-evaluated"
    )


def test_a_large_inventory_shows_the_findings_before_a_change_and_says_so(
    estate: Path, tmp_path: Path, investigator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(estate / "store", tmp_path / "store")
    desk = StoreCache(tmp_path / "store")
    before = shown(desk, investigator, "/findings")
    assert "before the last change" not in before
    key = next(each["id"] for each in findings.findings(desk).items)
    monkeypatch.setattr(findings, "_INLINE_IDENTITIES", -1)
    started: list[str] = []
    monkeypatch.setattr(
        desk, "start_in_background", lambda name, _: started.append(name)
    )
    agent = next(iter(desk.current_view().inventory.agents))
    with EvidenceStore.open(desk.root, now=0, create=False) as store:
        inventory = desk.current_view().inventory
        ownership.attest_unsigned(
            store, inventory, agent, "zoe@corp.example", now=time.time_ns()
        )
    for path, query in (("/findings", {}), ("/finding", {"id": key})):
        assert "before the last change" in shown(desk, investigator, path, **query)
        assert "findings" in started  # and no page computes them itself
    assert "before the last change" not in shown(
        desk, investigator, "/search", q="reporter"
    )
    findings.findings(desk)
    assert "before the last change" not in shown(desk, investigator, "/findings")
    desk.close()


def test_the_trend_of_a_large_inventory_is_that_of_the_command(
    estate: Path,
    investigator: Visitor,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small, large = StoreCache(estate / "store"), StoreCache(estate / "store")
    inline = get_finding_trend(small)
    assert inline is not None

    def run_here(root: Path, *words: str, timeout: float) -> bytes:
        capsys.readouterr()
        main(["--quiet", "-o", "json", "--store", str(root), *words])
        return capsys.readouterr().out.encode()

    tasks: list[Callable[[StoreCache], object]] = []
    monkeypatch.setattr(finding_trend, "_INLINE_IDENTITIES", -1)
    monkeypatch.setattr(finding_trend, "run_command_as_json", run_here)
    monkeypatch.setattr(
        large, "start_in_background", lambda _, task: tasks.append(task)
    )
    first = shown(large, investigator, "/findings/trend")
    assert "being computed" in first
    assert '<a href="/findings/trend">Show the result</a>' in first
    for each in tasks:
        each(large)
    computed = get_finding_trend(large)
    assert computed is not None
    assert list(computed.items) == json.loads(json.dumps(list(inline.items)))
    assert "being computed" not in shown(large, investigator, "/findings/trend")
    small.close()
    large.close()


@pytest.mark.parametrize("logs", [True, False])
def test_the_log_counts_as_collected_once_it_is_ingested(
    estate: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    investigator: Visitor,
    *,
    logs: bool,
) -> None:
    store = ["--store", str(tmp_path / "store"), "--quiet", "-o", "json"]
    assert main([*store, "scan", f"aws:{estate}/aws/account.json"]) == 0
    if logs:
        assert main([*store, "ingest", f"cloudtrail:{estate}/trail"]) == 0
    cache = StoreCache(tmp_path / "store")
    paths = ("/api/v1/findings", "/findings")
    said = [{}, {"as": "json"}]
    for words in (["findings"], ["findings", "trend"]):
        capsys.readouterr()
        assert main([*store, *words]) == 0
        coverage = json.loads(capsys.readouterr().out)["coverage"]
        assert ("cloudtrail" in coverage["seen"]) is logs
        assert ("cloudtrail" in coverage["not_collected"]) is not logs
    for path, query in zip(paths, said, strict=True):
        found = answer(cache, investigator, path, **query)
        if isinstance(found, FileDownload):
            coverage = json.loads(found.body)["coverage"]
        else:
            assert isinstance(found, DocumentAnswer)
            coverage = dict(found.document.coverage)
        assert ("cloudtrail" in coverage["seen"]) is logs
        assert ("cloudtrail" in coverage["not_collected"]) is not logs
    missing = "CloudTrail not collected" in shown(cache, investigator, "/findings")
    assert missing is not logs
    cache.close()


def test_the_filter_of_a_platform_keeps_the_rows_about_several(
    desk: StoreCache, investigator: Visitor, items: list[dict[str, Any]]
) -> None:
    several = [each for each in items if ", " in each["platform"]]
    assert several
    for name in several[0]["platform"].split(", "):
        with desk.open_store() as store:
            view = desk.current_view()
            command = list_findings(
                store, view.inventory, now=view.at, platform=name
            ).items
            expected = {each["id"] for each in command}
        found = answer(desk, investigator, "/findings", platform=name, **{"as": "json"})
        assert isinstance(found, FileDownload)
        assert {each["id"] for each in json.loads(found.body)["items"]} == expected
        api = answer(desk, investigator, "/api/v1/findings", platform=name, limit="999")
        assert isinstance(api, DocumentAnswer)
        assert {str(each["id"]) for each in api.document.items} == expected
        assert several[0]["id"] in expected
