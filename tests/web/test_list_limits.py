"""Every route and how its lists are cut: whole, in pages, or at a limit that is stated.

A new route joins by a line here. `total` and `shown` are then looked for in answers.
"""

import json
import re
import sys
from collections.abc import Mapping

import pytest

from answerable.web.http.responses import document_response
from answerable.web.pages.reach.question import REMOVED_FIELDS
from answerable.web.route_table import ROUTES, STREAMS
from answerable.web.routing import DocumentAnswer, FileDownload
from tests.web.conftest import answer, shown

WHOLE = "all of it, however much: a few, by what it is of"
ONE = "one thing, or a form; a list in it that is cut says of how many"
PAGES = "pages: how many of how many, and a link or cursor to the next"
LIMIT = "at most so many; where that is less than all, of how many is said"
CURSOR = "pages without a count: a cursor, and what was looked through"
PROPOSALS = "proposals while one types: no answer"
ACT = "does something and lists nothing"

API = "/api/v1"
HOW: Mapping[str, str] = {
    **dict.fromkeys(("/agents", "/identities", "/credentials", "/tools"), PAGES),
    **dict.fromkeys(("/people", "/trace", "/decisions", "/asks", "/reach"), PAGES),
    **dict.fromkeys(("/findings", "/reach/all", "/show"), PAGES),
    "/search": LIMIT,
    API + "/search": LIMIT,
    "/search/complete": PROPOSALS,
    "/kill": ONE,
    "/owners": LIMIT,
    "/finding": ONE,
    "/who-can": CURSOR,
    "/": LIMIT,
    **dict.fromkeys(("/trace/export", "/reach/graph", "/kills"), LIMIT),
    **dict.fromkeys(("/tools/diff", "/baseline", "/what-if"), LIMIT),
    **dict.fromkeys(("/what-if/cuts",), LIMIT),
    **dict.fromkeys(("/agent", "/identity", "/credential", "/person"), ONE),
    **dict.fromkeys(("/event", "/decision", "/can", "/ask", "/sign"), ONE),
    **dict.fromkeys(("/proof", "/proof/bundle", "/evidence"), ONE),
    **dict.fromkeys(("/evidence/checkpoint", "/evidence/key"), ONE),
    **dict.fromkeys(("/trace/hops", "/trace/times", "/trace/span"), WHOLE),
    **dict.fromkeys(("/baselines", "/baseline/replay", "/keys"), WHOLE),
    **dict.fromkeys(("/trace/complete", "/reach/complete"), PROPOSALS),
    **{
        API + path: PAGES
        for path in (
            *("/agents", "/identities", "/credentials", "/tools", "/people"),
            *("/trace", "/decisions", "/asks", "/amendments", "/requests"),
            *("/baselines", "/reach", "/findings"),
        )
    },
    API + "/who-can": CURSOR,
    API + "/trace/unmediated": LIMIT,
    API + "/trace/by": LIMIT,
    **dict.fromkeys(("/changes", API + "/changes"), LIMIT),
    **dict.fromkeys(("/findings/trend", API + "/findings/trend"), WHOLE),
    **dict.fromkeys(("/trace/saved", "/cases", API + "/cases"), WHOLE),
    **dict.fromkeys(("/case", "/case/bundle", "/case/page"), ONE),
    **dict.fromkeys((API + "/case", API + "/case/bundle"), ONE),
    **dict.fromkeys(("/trace/chains", "/trace/compare"), LIMIT),
    **dict.fromkeys((API + "/trace/chains", API + "/trace/facets"), LIMIT),
    **dict.fromkeys((API + "/trace/first-seen", API + "/trace/compare"), LIMIT),
    API + "/sql": LIMIT,
    API + "/reach/all": LIMIT,
    **dict.fromkeys((API + "/what-if", API + "/what-if/cuts"), LIMIT),
    **{
        API + path: WHOLE
        for path in (
            *("/openapi.json", "/who-owns", "/tools/diff", "/snapshots"),
            *(
                "/coverage",
                "/overview",
                "/trace/score",
                "/trace/saved",
                "/owner-keys",
                "/doctor",
                "/where",
            ),
            *("/sts/rules", "/kills", "/baseline/diff", "/baseline/replay"),
            *(
                "/baseline/check",
                "/sign",
                "/owners/sign",
                "/owners/requests",
                "/people/merges",
            ),
        )
    },
    **{
        API + path: ONE
        for path in (
            *("/can", "/event", "/decision", "/ask", "/baseline", "/show"),
            *("/evidence/checkpoint", "/evidence/prove", "/evidence/bundle"),
            "/evidence/verify",
        )
    },
    **dict.fromkeys(("/live", "/updates"), WHOLE),
}


def test_each_route_says_how_its_lists_are_cut() -> None:
    gets = {route.path for route in ROUTES if route.method == "GET"}
    gets |= {stream.path for stream in STREAMS}
    assert gets == set(HOW)
    assert {r.method for r in ROUTES} == {"GET", "POST"}  # a POST only acts


def test_what_comes_in_pages_takes_a_place_to_go_on_from() -> None:
    for route in ROUTES:
        if HOW.get(route.path) in (PAGES, CURSOR) and route.method == "GET":
            assert {"after", "before", "from"} & set(route.parameters), route.path


ASKED = {
    "/reach": {"subject": "agent:claude-code/ana/reporter"},
    "/who-can": {
        "action": "s3:GetObject",
        "resource": "arn:aws:s3:::example-customer-data/customers/1.json",
    },
}
# Nothing is signed, decided or recorded by a gateway in the sample: no parts there.
NOTHING = {"/decisions", "/asks", "/amendments", "/requests", "/baselines"}


@pytest.mark.parametrize(
    "path", [p for p, how in HOW.items() if how in (PAGES, CURSOR) and API in p]
)
def test_a_part_over_the_api_says_of_how_many(desk, admin, path) -> None:
    name = path.removeprefix(API)
    if name in NOTHING:
        pytest.skip("the sample has none; see the tests of each")
    most = "2" if name == "/reach" else "1"  # with what is not known of the subject
    got = answer(desk, admin, path, limit=most, **ASKED.get(name, {}))
    assert isinstance(got, DocumentAnswer)
    document = json.loads(document_response(got).body)
    assert document["after"]
    assert 1 <= len(document["items"]) <= int(most)
    if HOW[path] == CURSOR:
        assert document["coverage"]["looked"]["identities"] > 1
    elif name == "/reach":
        part = document["coverage"]["shown"]
        assert part["rows"] == len(document["items"])
        assert 1 <= part["done"] <= part["of"]
        after = document["after"]
        later = answer(desk, admin, path, limit=most, after=after, **ASKED[name])
        assert isinstance(later, DocumentAnswer)
        more = json.loads(document_response(later).body)["coverage"]["shown"]
        assert more["of"] == part["of"]
        assert more["done"] >= part["done"]
    else:
        assert document["total"] > 1


def test_the_last_part_of_reach_went_through_every_identity(desk, admin) -> None:
    after, rows = "", 0
    while True:
        fields = {**ASKED["/reach"], **({"after": after} if after else {})}
        got = answer(desk, admin, "/api/v1/reach", limit="3", **fields)
        assert isinstance(got, DocumentAnswer)
        document = json.loads(document_response(got).body)
        part = document["coverage"]["shown"]
        assert part["rows"] == len(document["items"])
        rows += part["rows"]
        after = document.get("after", "")
        if not after:
            break
    assert part["done"] == part["of"] > 1
    assert rows > 3


@pytest.mark.parametrize("path", ["/agents", "/identities", "/people", "/trace"])
def test_a_list_on_a_page_says_of_how_many(desk, admin, path) -> None:
    page = shown(desk, admin, path)
    assert re.findall(r"<span>[\d,]+ of (?:at least )?[\d,]+ ", page)


def test_an_export_of_a_part_says_of_how_many(desk, admin, monkeypatch) -> None:
    monkeypatch.setattr("answerable.web.pages.investigation._MAX_EXPORTED", 5)
    got = answer(desk, admin, "/trace/export", form="json")
    assert isinstance(got, FileDownload)
    document = json.loads(got.body)
    assert len(document["items"]) == 5
    assert document["total"] == 216


USER = "arn:aws:iam::111122223333:user/report-bot"
EDIT = f"{USER}#inline/inline#3"


def test_exposures_changes_and_cuts_at_a_limit_say_of_how_many(
    desk, admin, monkeypatch
) -> None:
    monkeypatch.setattr(
        "answerable.usecases.aws_permissions.find_minimal_cuts.MOST_LISTED", 1
    )
    cut = {"subject": USER, **ASKED["/who-can"]}
    for path, what, fields in (
        ("/reach/all", "risky identities", {"limit": "1"}),
        ("/what-if", "changes", {"subject": USER, "without": EDIT, "limit": "1"}),
        ("/what-if/cuts", "cuts", cut),
    ):
        got = answer(desk, admin, API + path, **fields)
        assert isinstance(got, DocumentAnswer)
        document = json.loads(document_response(got).body)
        part = document["coverage"]["shown"]
        assert part["what"] == what
        assert part["rows"] == part["done"] == len(document["items"]) == 1
        assert part["of"] > 1


def test_the_page_of_an_edit_says_of_how_many(desk, admin, monkeypatch) -> None:
    page_of = sys.modules["answerable.web.pages.reach.what_if"]
    monkeypatch.setattr(page_of, "_MAX_ROWS", 1)
    page = shown(desk, admin, "/what-if", subject=USER, **{REMOVED_FIELDS[0]: EDIT})
    assert re.findall(r">1 of \d+ changes; a simulation, no policy is changed", page)
