"""`/show` and `/api/v1/show`: the rows of the command line, within what one may see."""

import html

from answerable.services.lineage.lineage_search import SearchScope
from answerable.usecases.inventory.show import show_subject
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.web.api.conftest import told
from tests.web.conftest import answer, shown
from tests.web.markup_checks import HOSTILE, markup_faults

REPORTER = "agent:claude-code/ana/reporter"
TOOL = "tool:mcp/warehouse/*"
BUCKET = "arn:aws:s3:::example-customer-data"


def test_page_api_and_command_line_show_the_same_rows(
    desk: StoreCache, admin: Visitor
) -> None:
    view = desk.current_view()
    scope = SearchScope(view.inventory, view.chains)
    for key in (REPORTER, TOOL, BUCKET, "reporter"):
        with desk.open_store() as store:
            expected = show_subject(store, scope, key, now=view.at).items
        assert list(told(desk, admin, "/show", id=key).document.items) == expected
        page = answer(desk, admin, "/show", id=key)
        assert isinstance(page, PageAnswer)
        assert page.values["rows"] == expected
        text = shown(desk, admin, "/show", id=key)
        assert markup_faults(text) == []
        for row in expected:
            assert str(row["value"] or "") in html.unescape(text)


def test_a_viewer_sees_links_of_scans_and_no_activity(
    desk: StoreCache, viewer: Visitor, admin: Visitor
) -> None:
    def kinds(visitor: Visitor) -> set[object]:
        rows = told(desk, visitor, "/show", id=REPORTER).document.items
        return {row["kind"] for row in rows if row["value"] is not None}

    assert kinds(admin) - kinds(viewer) >= {"event", "resource"}
    rows = told(desk, viewer, "/show", id=REPORTER).document.items
    hidden = [r for r in rows if r["kind"] == "event"]
    assert [(r["value"], r["status"]) for r in hidden] == [(None, "missing")]
    assert "hidden" in str(hidden[0]["source"])


def test_an_unknown_name_is_404_with_the_nearest(
    desk: StoreCache, viewer: Visitor
) -> None:
    made = answer(desk, viewer, "/show", id="reportr")
    assert isinstance(made, PageAnswer)
    assert made.status == 404
    assert "did you mean reporter?" in shown(desk, viewer, "/show", id="reportr")
    for text in HOSTILE:
        assert markup_faults(shown(desk, viewer, "/show", id=text)) == []
