"""Cases and saved queries in the web page: from an event to a bundle that verifies."""

import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from answerable.evidence.case_bundle import decode_case_bundle
from answerable.model.errors import UsageError
from answerable.web.http.errors import RequestRejected
from answerable.web.pages.investigation import ROWS
from answerable.web.routing import FileDownload, PageAnswer, Redirect, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.template_rendering import render_page
from answerable.web.visitor import WebRole
from tests.web.api.conftest import told
from tests.web.conftest import answer, shown, visitor

CUSTOMERS = "resource:s3://example-customer-data/*"


@pytest.fixture(scope="module")
def work(
    estate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreCache]:
    """A copy of the sample store that these tests may write."""
    root = tmp_path_factory.mktemp("cases") / "store"
    shutil.copytree(estate / "store", root)
    made = StoreCache(root)
    yield made
    made.close()


def test_an_unknown_case_is_not_found(work: StoreCache, admin) -> None:
    with pytest.raises(RequestRejected) as found:
        answer(work, admin, "/case", id="zzz")
    assert found.value.status == 404


def post(desk: StoreCache, visit, path: str, **form: str) -> str:
    done = answer(desk, visit, path, "POST", **form)
    assert isinstance(done, Redirect)
    return done.location


def key_of(location: str) -> str:
    return parse_qs(urlsplit(location).query)["id"][0]


@pytest.fixture
def case(work: StoreCache, admin) -> str:
    """A case with the events of a query, from the form of its page."""
    page = shown(work, admin, "/trace", q=CUSTOMERS)
    (ids,) = re.findall(r'name="ids" value="([^"]+)"', page)
    location = post(work, admin, "/case/add", title="Customer data", ids=ids)
    return key_of(location)


def test_events_of_a_query_become_a_case_with_its_chains(work, admin, case) -> None:
    page = shown(work, admin, "/case", id=case)
    assert "<h1>Customer data</h1>" in page
    for name in ("person", "agent", "tool", "identity", "action", "resource"):
        assert f">{name}</text>" in page
    (item,) = (i for i in told(work, admin, "/cases").document.items if i["id"] == case)
    assert item["events"] == ROWS
    assert item["opened_by"] == "ana@corp.example, web page, local token"


def test_the_bundle_of_a_case_verifies_offline(work, admin, case) -> None:
    file = answer(work, admin, "/case/bundle", id=case)
    assert isinstance(file, FileDownload)
    assert decode_case_bundle(file.body).case == case
    assert json.loads(file.body)


def test_the_printable_page_has_six_columns_and_no_script(work, admin, case) -> None:
    file = answer(work, admin, "/case/page", id=case)
    assert isinstance(file, FileDownload)
    text = file.body.decode()
    assert "<script" not in text
    for name in ("person", "agent", "tool", "identity", "action", "resource"):
        assert f"<th>{name}</th>" in text or f">{name}</th>" in text


def test_a_note_of_two_lines_has_two_lines(work, admin, case) -> None:
    post(work, admin, "/case/note", case=case, text="first line\nsecond line")
    assert "first line\nsecond line" in shown(work, admin, "/case", id=case)
    done = answer(work, admin, "/case/page", id=case)
    assert isinstance(done, FileDownload)
    assert b"first line\nsecond line" in done.body


def test_an_assignee_that_no_scan_contains_is_a_warning(work, admin, case) -> None:
    for person, warning in (
        ("ana@corp.example", "The case is assigned."),
        (
            "ana@corp.exmaple",
            "The case is assigned, but no scan contains person:ana@corp.exmaple: check "
            "the spelling; did you mean ana@corp.example?",
        ),
    ):
        done = answer(work, admin, "/case/assign", "POST", case=case, person=person)
        assert isinstance(done, Redirect)
        assert done.confirmation == warning


def test_a_case_takes_notes_an_assignee_and_an_end(work, admin, case) -> None:
    post(work, admin, "/case/note", case=case, text="Ana did <b>not</b> start it")
    post(work, admin, "/case/assign", case=case, person="ana@corp.example")
    page = shown(work, admin, "/case", id=case)
    assert "Ana did &lt;b&gt;not&lt;/b&gt; start it" in page
    assert "assigned to" in page
    (item,) = (i for i in told(work, admin, "/cases").document.items if i["id"] == case)
    assert item["assignee"] == "person:ana@corp.example"
    post(work, admin, "/case/close", case=case, reason="handed over")
    assert "Add the note" not in shown(work, admin, "/case", id=case)
    with pytest.raises(UsageError):
        post(work, admin, "/case/note", case=case, text="late")


@pytest.mark.parametrize("text", ["", "ghp_" + "aB3d" * 9])
def test_a_note_without_text_or_with_a_secret_is_refused(
    work, admin, case, text
) -> None:
    with pytest.raises(UsageError):
        post(work, admin, "/case/note", case=case, text=text)


def test_an_unreadable_event_hides_no_note_of_a_case(
    work, admin, case, tmp_path
) -> None:
    post(work, admin, "/case/note", case=case, text="asked the bank")
    root = tmp_path / "store"
    shutil.copytree(work.root, root)
    for file in root.glob("segments/*/*.parquet"):
        file.unlink()
    damaged = StoreCache(root)
    try:
        page = shown(damaged, admin, "/case", id=case)
        printed = answer(damaged, admin, "/case/page", id=case)
        bundle = answer(damaged, admin, "/case/bundle", id=case)
        assert isinstance(bundle, FileDownload)
        with damaged.open_store() as store:
            key = str(store.keys.public_key)
        sent = {"bundle": bundle.body.decode(), "key": key}
        checked = answer(damaged, admin, "/evidence/bundle", "POST", **sent)
    finally:
        damaged.close()
    assert isinstance(printed, FileDownload)
    assert isinstance(checked, PageAnswer)
    drawn = render_page(checked, admin, RouteRequest())
    assert "incomplete</span>" in drawn
    assert "holds</span> The records" not in drawn
    absent = {each.value for each in decode_case_bundle(bundle.body).absent}
    assert len(absent) == ROWS
    for text in (page, printed.body.decode()):
        assert "asked the bank" in text
        assert all(each in text for each in absent)
        assert "is missing or damaged" in text
    assert "No event of the case can be shown." in page
    assert f'href="/event?id={absent.pop()}"' not in page


def test_a_finding_joins_a_case(work, admin, case) -> None:
    finding = told(work, admin, "/findings", state="open").document.items[0]
    page = shown(work, admin, "/finding", id=str(finding["id"]))
    assert f'value="{case}"' in page
    post(work, admin, "/case/add", case=case, ids=str(finding["id"]))
    assert html.escape(str(finding["title"])) in shown(work, admin, "/case", id=case)


def test_too_many_ids_and_an_unknown_one_are_refused(work, admin, case) -> None:
    for ids in ("0" * 32, " ".join("0" * 32 for _ in range(201))):
        with pytest.raises(UsageError):
            post(work, admin, "/case/add", case=case, ids=ids)


def test_an_owner_sees_no_form_of_cases(work) -> None:
    owner = visitor(WebRole.OWNER, owns=("agent:claude-code/ana/reporter",))
    assert "/case/add" not in shown(work, owner, "/trace")


def test_a_query_is_saved_for_all_and_deleted(work, admin) -> None:
    post(work, admin, "/trace/saved", name="customers", q=CUSTOMERS)
    page = shown(work, admin, "/trace/saved")
    assert "customers" in page
    items = told(work, admin, "/trace", saved="customers", limit="1000").document.items
    direct = told(work, admin, "/trace", q=CUSTOMERS, limit="1000").document.items
    assert len(items) == len(direct) > 0
    post(work, admin, "/trace/saved/delete", name="customers")
    assert "No query is saved yet." in shown(work, admin, "/trace/saved")
    with pytest.raises(UsageError):
        post(work, admin, "/trace/saved", name="../x", q="")
