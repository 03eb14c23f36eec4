"""The pages, as they are without script, answer the same as the API.

Each row names a page, the operation of the same question, and the fields of its items
that a person reads off the page.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pytest

from answerable.cli.sample.account import CUSTOMER_BUCKET, DATA_READER, REPORT_KEY
from answerable.web.api.operation_table import OPERATIONS
from answerable.web.pages.reach.question import REMOVED_FIELDS
from answerable.web.routing import DocumentAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import ANA, shown, visitor

KEY = f"cred:aws/{REPORT_KEY}"
USER = "arn:aws:iam::111122223333:user/report-bot"
CALL = {"action": "s3:GetObject", "resource": f"{CUSTOMER_BUCKET}/customers/a"}
STATEMENT = f"{USER}#inline/inline#3"
READS = {"q": f"resource:{CUSTOMER_BUCKET}/customers/* since:7d"}
EVERYBODY = visitor(WebRole.ADMIN, WebRole.OWNER, WebRole.INVESTIGATOR, person=ANA)

Query = Mapping[str, str]
# Page, its query, operation, its query, fields.
SAME: tuple[tuple[str, Query, str, Query, tuple[str, ...]], ...] = (
    ("/agents", {}, "/agents", {}, ("id", "owner.state")),
    ("/identities", {}, "/identities", {}, ("id", "kind", "owner.state")),
    ("/credentials", {}, "/credentials", {}, ("id", "lifetime")),
    ("/tools", {}, "/tools", {}, ("id",)),
    ("/people", {}, "/people", {}, ("id",)),
    ("/findings", {}, "/findings", {}, ("title", "rule", "severity", "state")),
    ("/search", {"q": "report"}, "/search", {"q": "report"}, ("id",)),
    ("/can", {"subject": KEY, **CALL}, "/can", {"subject": KEY, **CALL}, ("verdict",)),
    ("/who-can", CALL, "/who-can", CALL, ("subject", "verdict")),
    (
        "/reach",
        {"subject": KEY},
        "/reach",
        {"subject": KEY},
        ("subject", "action", "resource", "verdict"),
    ),
    (
        "/what-if",
        {"subject": KEY, REMOVED_FIELDS[0]: STATEMENT},
        "/what-if",
        {"subject": KEY, "without": STATEMENT},
        ("action", "resource", "before", "after"),
    ),
    ("/reach/all", {}, "/reach/all", {}, ("subject", "becomes")),
    ("/trace", READS, "/trace", READS, ("event_id", "outcome", "hops.agent.value")),
    ("/trace/chains", READS, "/trace/chains", READS, ("agent.value", "events")),
    (
        "/identity",
        {"id": DATA_READER},
        "/who-owns",
        {"id": DATA_READER},
        ("id", "state", "person"),
    ),
)


def ask(
    desk: StoreCache, path: str, query: Query, visit: Visitor = EVERYBODY
) -> list[dict[str, Any]]:
    """Ask an operation of the API, for its items."""
    found = next(e for e in OPERATIONS if (e.path, e.method) == (path, "GET"))
    answer = found.handle(desk, visit, RouteRequest(query=dict(query)))
    assert isinstance(answer, DocumentAnswer)
    return [dict(item) for item in answer.document.items]


def read(page: str) -> str:
    """Read the text of a page, and where its links lead."""
    links = " ".join(re.findall(r'(?:href|title|value)="([^"]*)"', page))
    text = re.sub(r"<[^>]*>", "", page)
    return html.unescape(f"{text} {unquote(links)}")


def list_missing(
    items: Sequence[Mapping[str, Any]], fields: Sequence[str], text: str
) -> set[str]:
    """List the values of items that a text lacks; each field has to have one."""
    said = {
        field: {v for item in items for v in values(item, field)} for field in fields
    }
    assert all(said.values()), said
    return {value for every in said.values() for value in every if value not in text}


def values(item: Mapping[str, Any], field: str) -> Iterator[str]:
    """Give the values of a field, of which a person reads the words."""
    value: Any = item
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    for each in value if isinstance(value, list) else [value]:
        if each not in (None, ""):
            yield str(each)


@pytest.mark.parametrize("same", SAME, ids=lambda same: same[0])
def test_a_page_without_script_has_each_answer_of_the_api(
    desk: StoreCache, same: tuple[str, Query, str, Query, tuple[str, ...]]
) -> None:
    path, asked, operation, query, fields = same
    items = ask(desk, operation, query)
    page = shown(desk, EVERYBODY, path, **asked)
    assert list_missing(items, fields, read(page)) == set()


def test_a_missing_row_and_another_verdict_are_noticed(desk: StoreCache) -> None:
    items = ask(desk, "/agents", {})
    page = shown(desk, EVERYBODY, "/agents", q="reporter")
    assert list_missing(items, ["id"], read(page)) != set()
    items = [{**each, "verdict": "not-known"} for each in ask(desk, "/who-can", CALL)]
    page = shown(desk, EVERYBODY, "/who-can", **CALL)
    assert list_missing(items, ["verdict"], read(page)) == {"not-known"}
