"""The investigation: one box, chains, rows, exports; what is hostile is text."""

import html
import json
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from answerable.lineage.search_query import parse_search_query
from answerable.model.errors import UsageError
from answerable.services.lineage import lineage_search as flow
from answerable.services.lineage.lineage_search import SearchScope
from answerable.usecases.lineage import search_events
from answerable.web import background_answers
from answerable.web.pages import investigation, trace_summary
from answerable.web.routing import FileDownload, RouteRequest
from answerable.web.template_rendering import render_page
from answerable.web.visitor import WebRole
from tests.web.conftest import answer, shown, visitor

HOSTILE = ("<script>alert(1)</script>", '"onmouseover="x', "\u202eevil", "x" * 1_900)
REPORTER = "agent:claude-code/ana/reporter"


def ids(page: str) -> list[str]:
    return re.findall(r'<td class="when"><a href="/event\?id=([0-9a-f]{32})"', page)


def older(page: str) -> dict[str, str]:
    (to,) = re.findall(r'<a rel="next" href="([^"]*)"', page) or [""]
    query = parse_qs(urlsplit(html.unescape(to)).query)
    return {key: values[0] for key, values in query.items()}


def test_all_rows_stand_in_a_table_and_in_six_columns(desk, admin) -> None:
    page = shown(desk, admin, "/trace")
    assert len(ids(page)) == investigation.ROWS
    for name in ("person", "agent", "tool", "identity", "action", "resource"):
        assert f">{name}</text>" in page
    assert "216 events" in page


def test_a_picture_of_a_part_says_of_how_many_events(desk, admin) -> None:
    page = shown(desk, admin, "/trace")
    assert "The diagram shows the chains of the newest 40 of 216 events." in page
    assert "Statuses of the hops of all 216 events" in page
    whole = shown(desk, admin, "/trace", q="tmp-export iam:DeleteRole")
    assert "Statuses of the hops of this event" in whole
    assert "The diagram shows the chains of" not in whole


@pytest.mark.parametrize("q", ["", "identity:tmp-export"])
def test_statuses_of_hops_are_counted_over_the_whole_answer(desk, admin, q) -> None:
    page = shown(desk, admin, "/trace", q=q)
    assert f'<a href="/trace/hops{f"?q={q}".replace(":", "%3A") if q else ""}"' in page
    page = shown(desk, admin, "/trace/hops", q=q)
    table = page.partition('<table class="counts">')[2].partition("</table>")[0]
    totals = set()
    for line in table.split('<th scope="row">')[1:]:
        counts = re.findall(r'<a href="/trace\?q=([^"]+)">([\d,]+)</a>', line)
        for to, count in counts:
            query = parse_qs(urlsplit(html.unescape(f"?q={to}")).query)["q"][0]
            there = shown(desk, admin, "/trace", q=query)
            assert re.findall(r"([\d,]+) events?(?: ·|\n)", there)[0] == count
        totals.add(sum(int(count.replace(",", "")) for _, count in counts))
    assert len(totals) == 1
    assert totals.pop() > investigation.ROWS
    assert f"all {84 if q else 216} events</h1>" in page


def test_where_no_event_fits_the_page_names_what_exists(desk, admin) -> None:
    page = shown(desk, admin, "/trace", q="resource:s3://example-customer-data/none")
    assert "resource arn:aws:s3:::example-customer-data" in page
    (event,) = ids(shown(desk, admin, "/trace", q="tmp-export iam:DeleteRole"))
    assert ids(shown(desk, admin, "/trace", q=event)) == [event]


def test_pages_lead_through_every_row_once(desk, admin) -> None:
    found, said = [], {}
    while True:
        page = shown(desk, admin, "/trace", **said)
        found += ids(page)
        said = older(page)
        if not said:
            break
    assert len(found) == len(set(found)) == 216


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("agent:*reporter", 212),
        ("agent:reporter", 212),
        ("identity:tmp-export", 84),
        ("tmp-export", 84),
        ("tmp-export iam:DeleteRole", 1),
        ("status:agent=missing", None),
        ("action:iam:* outcome:success", 3),
        ("resource:*customers*", 40),
        ("person:ana since:365d", None),
        ("nothing-holds-this", 0),
    ],
)
def test_a_query_gives_what_trace_gives(desk, text, count) -> None:
    standing = desk.current_view()
    scene = SearchScope(standing.inventory, standing.chains)
    query = parse_search_query(text)
    with desk.open_store() as store:
        wanted = flow.build_event_filter(scene, query, now=desk.now)
        document, _ = search_events.search_lineage_rows(
            store, scene, wanted, now=desk.now, limit=1_000
        )
        total = search_events.count_over_time(store, wanted).total
    assert len(document.items) == total
    every = flow.build_event_filter(scene, parse_search_query(""), now=desk.now)
    with desk.open_store() as store:
        rows, _ = search_events.search_lineage_rows(
            store, scene, every, now=desk.now, limit=1_000
        )
    slow = [each["event_id"] for each in rows.items if fits(each, query)]
    assert [each["event_id"] for each in document.items] == slow
    if count is not None:
        assert len(slow) == count


def test_chains_are_found_by_their_ids_as_by_looking_at_each(desk) -> None:
    standing = desk.current_view()
    kept = SearchScope(standing.inventory, standing.chains)
    plain = SearchScope(standing.inventory, tuple(standing.chains))
    chains = [chain for each in standing.chains for chain in each.chains]
    asked = {f"agent:{key}" for c in chains for key in c.agent_path}
    asked |= {f"identity:{key}" for c in chains for key in c.identity_path}
    asked |= {f"credential:{key}" for c in chains for key in c.credential_path}
    asked |= {f"tool:{c.tool.value}" for c in chains if c.tool.value}
    assert len(asked) > 10
    for text in sorted(asked):
        for query in (
            parse_search_query(text),
            parse_search_query(f"{text} person:ana"),
            parse_search_query(f"{text} s3"),
            parse_search_query(f"{text.partition(':')[2].upper()[-7:]} s3"),
            parse_search_query(text.rpartition("/")[2]),
            parse_search_query(f"{text.rpartition('/')[2]} a*n"),
        ):
            found, looked_at = (
                flow.build_event_filter(scene, query, now=standing.at)
                for scene in (kept, plain)
            )
            assert found == looked_at


SLOW = {
    "agent": lambda i, v: any(a.endswith(v.strip("*")) for a in i["agent_path"]),
    "identity": lambda i, v: any(
        name.endswith(f"/{v}")
        for name in (*i["identity_path"], i["hops"]["resource"]["value"])
    ),
    "status": lambda i, v: i["hops"][v.split("=")[0]]["status"] == v.split("=")[1],
    "action": lambda i, v: i["hops"]["action"]["value"].startswith(v.strip("*")),
    "resource": lambda i, v: v.strip("*") in i["hops"]["resource"]["value"],
    "outcome": lambda i, v: i["outcome"] == v,
    "person": lambda i, v: i["hops"]["person"]["value"].startswith(f"person:{v}"),
    "since": lambda i, v: True,
}


def fits(item, query) -> bool:
    """Say slowly what a query means, for the queries above."""
    texts = [hop["value"] for hop in item["hops"].values()]
    texts += [*item["agent_path"], *item["identity_path"], item["credential"]]
    texts += item["credential_path"]
    return all(SLOW[field](item, value) for field, value in query.said) and all(
        any(word.lower() in text.lower() for text in texts) for word in query.words
    )


@pytest.mark.parametrize("text", ["agnet:x", "agent:nobody-at-all", "since:soon", 'a"'])
def test_a_question_that_cannot_be_asked_is_told_why(desk, admin, text) -> None:
    page = answer(desk, admin, "/trace", q=text)
    assert page.status == 400
    body = render_page(page, admin, RouteRequest(query={"q": text}))
    assert 'role="alert"' in body
    assert "Query syntax" in body


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("form", ["{}", "agent:{}", '"{}"', "agnt:{}"])
def test_what_is_asked_comes_back_as_text(desk, admin, hostile, form) -> None:
    text = form.replace("{}", hostile)
    body = shown(desk, admin, "/trace", q=text)
    assert "<script>alert" not in body
    assert '"onmouseover="x' not in body
    assert "\u202e" not in body


def test_an_owner_sees_what_their_own_agents_did_and_nothing_else(desk) -> None:
    owner = visitor(WebRole.OWNER, owns=(REPORTER,))
    assert "212 events" in shown(desk, owner, "/trace")
    assert not ids(shown(desk, owner, "/trace", q="identity:ci-deploy"))
    nobody = visitor(WebRole.OWNER)
    for text in ("", "tmp-export", "identity:tmp-export", "outcome:success"):
        page = shown(desk, nobody, "/trace", q=text)
        assert not ids(page)
        assert "No event matches" in page


def test_an_owner_of_nothing_is_proposed_nothing(desk) -> None:
    nobody = visitor(WebRole.OWNER)
    for field in ("agent", "action", "resource", "person", "credential", "run"):
        page = answer(desk, nobody, "/trace/complete", q=f"{field}:")
        assert page.values["proposed"] == []


def test_a_query_is_completed_from_what_is_there(desk, admin) -> None:
    def proposed(text: str) -> list[str]:
        page = answer(desk, admin, "/trace/complete", q=text)
        return [each.text for each in page.values["proposed"]]

    assert proposed("ag") == ["agent:"]
    assert f"since:7d {REPORTER}" in proposed("since:7d agent:repo")
    assert proposed("status:mi") == ["status:missing"]
    assert "action:s3:GetObject" in proposed("action:getobj")
    assert all(len(proposed(f"{f}:")) <= 20 for f in ("resource", "action", "agent"))
    for text in proposed("agent:"):
        assert parse_search_query(text).get_field_value("agent")
        assert shown(desk, admin, "/trace", q=text)


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_rows_are_exported_whole(desk, admin, form) -> None:
    file = answer(desk, admin, "/trace/export", q="tmp-export", form=form)
    assert isinstance(file, FileDownload)
    assert file.name == f"trace.{form}"
    lines = file.body.decode().splitlines()
    count = len(json.loads(lines[0])["items"]) if form == "json" else len(lines) - 1
    assert count == 84


def test_no_other_form_is_exported(desk, admin) -> None:
    with pytest.raises(UsageError, match="expected json, ndjson or csv"):
        answer(desk, admin, "/trace/export", form="exe")


def test_every_route_is_for_those_who_may_see_deeds() -> None:
    for route in investigation.ROUTES:
        assert not route.permissions & visitor(WebRole.VIEWER).may


def test_an_answer_over_very_many_events_is_counted_in_the_background(
    desk, admin, monkeypatch
) -> None:
    monkeypatch.setattr(background_answers, "INLINE_EVENTS", 10)
    counted = None
    for path, says in (
        ("/trace/hops", "Counted"),
        ("/trace/chains", "counted"),
        ("/trace/compare", "Compared"),
    ):
        first = shown(desk, admin, path, q="action:s3:*")
        assert "events are being counted." in first
        assert "No event" not in first
        until = time.monotonic() + 60
        while time.monotonic() < until:
            counted = shown(desk, admin, path, q="action:s3:*")
            if says in counted and "being counted" not in counted:
                break
            time.sleep(0.01)
        assert "being counted" not in counted


def test_the_api_counts_a_large_log_once_for_each_version_of_the_store(
    desk, admin, monkeypatch
) -> None:
    monkeypatch.setattr(background_answers, "INLINE_EVENTS", 10)
    answers = background_answers.BackgroundAnswers()  # without those of other tests
    monkeypatch.setattr(desk, "background_answers", answers)
    counted: list[object] = []
    count = trace_summary.summarize

    def summarize(*given, **more):
        counted.append(count(*given, **more))
        return counted[-1]

    monkeypatch.setattr(trace_summary, "summarize", summarize)

    def ask(text: str):
        query = parse_search_query(text)
        return trace_summary.summarize_once(desk, admin, query, with_own=False)

    assert ask("action:s3:*") is ask("action:s3:*") is counted[0]
    assert ask("action:sts:*") is counted[1]
    ask("action:s3:* since:1d"), ask("action:s3:* since:1d")
    assert len(counted) == 4  # the time is relative
    monkeypatch.setattr(desk, "version", lambda: "of another event")
    assert ask("action:s3:*") is counted[4]


def test_an_answer_that_fails_in_the_background_says_so(
    desk, admin, monkeypatch
) -> None:
    monkeypatch.setattr(background_answers, "INLINE_EVENTS", 10)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        page = answer(desk, admin, "/trace/compare", q="action:s3:*", by="nonsense")
        if page.status != 200:
            break
        time.sleep(0.01)
    assert page.status == 400
    assert "nonsense" in page.values["problem"].message
