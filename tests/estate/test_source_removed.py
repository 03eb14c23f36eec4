"""A law over every kind of document: with a source removed, no no becomes stronger.

A kind of document joins by a line in `ASKED` (`removal_questions.py`), with questions,
or in `APART`, with why no scanned source or trail bears on it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.cli.render.documents import RENDERERS
from answerable.cli.sample.google_project import SUPPORT_AGENT, VERTEX_AGENT
from answerable.cli.sample.platform_account import (
    LEDGER_OBJECT,
    LEDGER_ROLE,
    PREVIEW_ROLE,
)
from answerable.model.documents.registry import ITEM_TYPES
from answerable.model.errors import UsageError
from answerable.web.api.operation_table import OPERATIONS
from answerable.web.http.errors import RequestRejected
from answerable.web.pages.reach.question import REMOVED_FIELDS
from answerable.web.route_table import ROUTES
from answerable.web.routing import (
    DocumentAnswer,
    Forbidden,
    PageAnswer,
    RouteRequest,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.cli.conftest import ITEMS
from tests.estate.page_numbers import zeros
from tests.estate.removal_questions import (
    APART,
    APP,
    ASKED,
    BINDING,
    DEVELOPER,
    GONE,
    KEY,
    LEDGER,
    LEDGER_CALL,
    MEMBER,
    ORDERS,
    PAGES,
    PAGES_APART,
    PEOPLE,
    PODS,
    PREVIEW_USER,
    READER,
    REPORTER,
    SECRETS,
    SHOWN,
    STATEMENT,
    SUPPORT,
    USER,
    WORKFLOW,
)
from tests.estate.sample_stores import (
    DATA,
    ELSEWHERE,
    LABS,
    PIPELINE_AGENT,
    ROLE,
    SOURCES,
    Stores,
    ask_for_owner,
)
from tests.estate.seven import Answer, Ask
from tests.laws.removal import faults
from tests.web.conftest import shown, visitor


def test_every_kind_of_document_and_every_page_joins_the_law() -> None:
    kinds = (
        {name.partition("/")[0] for name in RENDERERS} | set(ITEMS) | set(ITEM_TYPES)
    )
    kinds |= {each.kind for each in OPERATIONS}
    assert kinds - set(ASKED) - set(APART) == set()
    assert not set(ASKED) & set(APART)
    paths = {r.path for r in ROUTES if r.method == "GET"}
    pages = {path for path in paths if not path.startswith("/api/")}
    assert pages - PAGES - set(PAGES_APART) == set()
    assert pages >= PAGES


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores.with_database(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, ...], Answer]:
    """Answers of the whole store, by question: asked once for all removed sources."""
    return {}


@pytest.mark.parametrize("removed", SOURCES)
def test_no_document_of_the_command_line_says_a_stronger_no(
    stores: Stores,
    answers: dict[tuple[str, ...], Answer],
    ask: Ask,
    removed: str,
) -> None:
    full, less = stores.of(*SOURCES), stores.without(removed)
    found = []
    for kind, questions in ASKED.items():
        for question in questions:
            key = (str(full), *question)
            if key not in answers:
                answers[key] = ask(full, *question)
            before, after = answers[key], ask(less, *question)
            assert before.code == 0, question
            if after.code == 0:  # what is an error is no answer
                documents = json.loads(before.out), json.loads(after.out)
                found += [(question, fault) for fault in faults(kind, *documents)]
    assert found == []


class Desks:
    """A desk on each store: every source, and one with each removed."""

    def __init__(self, stores: Stores) -> None:
        self.full = StoreCache(stores.of(*SOURCES))
        self.less = {name: StoreCache(stores.without(name)) for name in SOURCES}

        for desk in (self.full, *self.less.values()):
            ask_for_owner(desk.root, REPORTER)

    def list_some(self, path: str, field: str) -> list[str]:
        """List ids of two items of a list of the whole store."""
        answer = over_http(self.full, path, {})
        assert answer is not None
        return [item[field] for item in answer["items"][:2]]

    def close(self) -> None:
        for desk in (self.full, *self.less.values()):
            desk.close()


@pytest.fixture(scope="module")
def desks(stores: Stores) -> Iterator[Desks]:
    made = Desks(stores)
    yield made
    made.close()


SUBJECTS = (
    *(REPORTER, "agent:claude-code/ana", PIPELINE_AGENT),
    *(USER, KEY, GONE, ELSEWHERE, "*", "lambda.amazonaws.com"),
    *(f"{ROLE}/{name}" for name in ("data-reader", "ci-deploy", "lambda-admin")),
    *(APP, SUPPORT, DEVELOPER),
    *(LEDGER, PREVIEW_USER, WORKFLOW, *PEOPLE, LEDGER_ROLE, PREVIEW_ROLE),
    *(VERTEX_AGENT, SUPPORT_AGENT, "user:ben@corp.example"),
)
ACTIONS = ("s3:GetObject", "s3:DeleteObject", "iam:CreateUser", "sts:AssumeRole")
ACTIONS += ("SELECT", "DELETE", "get", "create", "push", "merge", "read-secret")
ACTIONS += (LEDGER_CALL[0], "iam.serviceAccounts.getAccessToken")
RESOURCES = (DATA, "arn:aws:s3:::other/x", "*", f"{ROLE}/data-reader", ORDERS)
RESOURCES += (LEDGER_OBJECT, f"{SECRETS}/x", f"{PODS}/x", LABS, f"{LABS}/branch/main")
RESOURCES += (LEDGER_CALL[1],)
STATEMENTS = (
    *(STATEMENT, f"{USER}#inline/inline#2", f"{ROLE}/data-reader#trust#0"),
    *(f"{ROLE}/data-reader#inline/inline#0", f"{ROLE}/ci-deploy#trust#0"),
    *(MEMBER, BINDING, READER),
)
_DIRECT = ("/can", "/who-can", "/reach")
INVESTIGATOR = visitor(WebRole.ADMIN, WebRole.OWNER, WebRole.INVESTIGATOR)


def over_http(
    desk: StoreCache, path: str, query: dict[str, str]
) -> dict[str, Any] | None:
    """Ask an operation of the API; None where the question is an error there."""
    asked = next(e for e in OPERATIONS if (e.path, e.method) == (path, "GET"))
    try:
        answer = asked.handle(desk, INVESTIGATOR, RouteRequest(query=query))
    except RequestRejected:
        return None
    assert isinstance(answer, DocumentAnswer)
    document = answer.document
    return {"items": list(document.items), "coverage": document.coverage}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from((*_DIRECT, "/what-if", "/what-if/cuts")),
    subject=st.sampled_from(SUBJECTS),
    action=st.sampled_from(ACTIONS),
    resource=st.sampled_from(RESOURCES),
    direct=st.booleans(),
    statement=st.sampled_from(STATEMENTS),
    removed=st.sampled_from(SOURCES),
)
def test_no_document_of_the_api_says_a_stronger_no(
    desks: Desks,
    path: str,
    subject: str,
    action: str,
    resource: str,
    direct: bool,
    statement: str,
    removed: str,
) -> None:
    query = {"action": action, "resource": resource} | (
        {"direct": "true"} if direct and path in _DIRECT else {}
    )
    if path != "/who-can":
        query["subject"] = subject
    if path == "/what-if":
        query["without"] = statement
    before = over_http(desks.full, path, query)
    after = over_http(desks.less[removed], path, query)
    if before is not None and after is not None:
        kind = next(e.kind for e in OPERATIONS if e.path == path)
        assert faults(kind, before, after) == []


@pytest.mark.parametrize("removed", SOURCES)
def test_no_list_of_the_api_says_a_stronger_no(desks: Desks, removed: str) -> None:
    for kind in ("agents", "identities", "credentials", "tools", "people"):
        before = over_http(desks.full, f"/{kind}", {})
        after = over_http(desks.less[removed], f"/{kind}", {})
        assert before is not None
        assert after is not None
        assert faults(kind, before, after) == [], kind
    before = over_http(desks.full, "/reach/all", {})
    after = over_http(desks.less[removed], "/reach/all", {})
    assert before is not None
    assert after is not None
    assert faults("reach-all", before, after) == []


@settings(max_examples=60, deadline=None)
@given(
    subject=st.sampled_from(SUBJECTS),
    action=st.sampled_from(ACTIONS),
    resource=st.sampled_from(RESOURCES),
    expect=st.sampled_from(("always", "only-if", "never")),
    accepted=st.sampled_from(("", "resource-policies", "scp,rcp")),
    removed=st.sampled_from(SOURCES),
)
def test_no_expectation_passes_that_did_not_pass_before(
    desks: Desks,
    subject: str,
    action: str,
    resource: str,
    expect: str,
    accepted: str,
    removed: str,
) -> None:
    from answerable.usecases.reach import permissions

    def passes(desk: StoreCache) -> bool:
        inventory = desk.current_view().inventory
        try:
            document = permissions.check_permission(
                inventory,
                subject,
                action,
                resource,
                now=desk.now,
                expect=expect,
                assume=[accepted],
            )
        except UsageError:
            return False
        return not document.failed and not document.undecided

    assert passes(desks.full) or not passes(desks.less[removed])


_FIGURE = re.compile(
    r'<a class="big" href="([^"]*)">([^<]*)</a>|'
    r'<a href="([^"]*)">[^<]*</a> <span>([^<]*)</span>'
)


def figures(page: str) -> dict[str, str]:
    """Give the numbers of the overview by the list that each leads to."""
    found = _FIGURE.findall(page)
    return {one or other: said or told for one, said, other, told in found}


@pytest.mark.parametrize("removed", SOURCES)
def test_no_figure_of_the_overview_becomes_0(desks: Desks, removed: str) -> None:
    before = figures(shown(desks.full, INVESTIGATOR, "/"))
    after = figures(shown(desks.less[removed], INVESTIGATOR, "/"))
    assert before["/agents"] != "0"
    gone = {to for to, number in after.items() if number == "0"}
    assert {to for to in gone if before.get(to, "0") != "0"} == set()


# Pages that need an id or a question.
_ASKED_ABOUT = frozenset(
    ("/agent", "/identity", "/credential", "/person", "/show", "/event", "/finding")
) | {"/can", "/who-can", "/what-if", "/what-if/cuts", "/kill", "/search"}
# Sentences of pages that are a no.
READER_ROLE = f"{ROLE}/data-reader"
_NO: tuple[str, ...] = (
    "cannot",
    "No collected identity can",
    "No collected permission",
)
_NO += ("Nothing changes", "is removed</td>", "No collected source grants it")
_NO += ("never</span>", "No path in the collected data", "No set of statements")
_NO += ("No identity of the collected accounts", "No finding is open.", "No change")
_NO += ("No event matches.", "of all 0 events", "No value is known to be")
_NO += ("No owner request is open.", "answered request")


@pytest.mark.parametrize("removed", SOURCES)
def test_no_page_says_a_stronger_no(desks: Desks, removed: str) -> None:
    call = {"action": "s3:GetObject", "resource": DATA}
    drop = {"action": "DELETE", "resource": ORDERS}
    questions: tuple[tuple[str, dict[str, str]], ...] = (
        *(("/reach", {"subject": each}) for each in (REPORTER, USER, GONE, ELSEWHERE)),
        *(("/can", {"subject": each, **call}) for each in (REPORTER, USER, GONE)),
        ("/who-can", call),
        *(("/reach", {"subject": each}) for each in (APP, DEVELOPER)),
        *(("/can", {"subject": each, **drop}) for each in (APP, SUPPORT, USER)),
        ("/who-can", drop),
        ("/who-can", dict(zip(("action", "resource"), LEDGER_CALL, strict=True))),
        *(
            ("/what-if", {"subject": e, REMOVED_FIELDS[0]: STATEMENT})
            for e in (REPORTER, "")
        ),
        ("/reach/all", {}),
        *(
            ("/reach", {"subject": each, "to": READER_ROLE})
            for each in (REPORTER, USER)
        ),
        ("/what-if/cuts", {"subject": USER, "resource": DATA}),
        *(("/findings", {}), ("/changes", {}), ("/search", {"q": "report"})),
        ("/agent", {"id": REPORTER}),
        ("/identity", {"id": USER}),
        ("/credential", {"id": KEY}),
        ("/person", {"id": "person:ana@corp.example"}),
        *(("/show", {"id": each}) for each in SHOWN),
        *((path, {}) for path in sorted(PAGES - _ASKED_ABOUT)),
        ("/owners", {"id0": REPORTER, "id1": USER}),
        ("/trace/compare", {"q": "since:1d"}),
        ("/kill", {"subject": REPORTER}),
        *(("/event", {"id": each}) for each in desks.list_some("/trace", "event_id")),
        *(("/finding", {"id": each}) for each in desks.list_some("/findings", "id")),
    )
    assert {path for path, _ in questions} >= PAGES
    for path, said in questions:
        before = shown(desks.full, INVESTIGATOR, path, **said)
        try:
            after = shown(desks.less[removed], INVESTIGATOR, path, **said)
        except (Forbidden, RequestRejected):
            continue  # not known any more: no answer
        new = [no for no in _NO if no in after and no not in before]
        assert new == [], (path, said)
        if path != "/trace/hops":  # there, what no source tells any more is `missing`
            assert zeros(before, after) == set(), (path, said)
    for kind in ("agents", "identities", "credentials", "tools", "people"):
        page = next(r for r in ROUTES if r.path == f"/{kind}").handler(
            desks.less[removed], INVESTIGATOR, RouteRequest()
        )
        assert isinstance(page, PageAnswer)
        assert page.values["all"] != 0, kind


def test_the_law_notices_a_stronger_no(stores: Stores, ask: Ask) -> None:
    """Plant each fault that the law is there for."""
    store: Path = stores.of(*SOURCES)
    item = ask(store, "can", REPORTER, "s3:GetObject", DATA).items[0]
    never: dict[str, Any] = {**item, "verdict": "never", "assuming": ["scp"]}
    sure = {**never, "assuming": []}
    covered = {"not_collected": [], "sources": [1]}

    def document(*items: object) -> dict[str, Any]:
        return {"items": list(items), "coverage": covered}

    assert faults("can", document(item), document(never))
    assert faults("can", document(never), document(sure))
    assert not faults("can", document(never), document(item))
    assert faults("reach", document(item), document())
    assert faults("agents", document({"id": "a"}), document())
    used = {"subject": "a", "action": "b", "used": 3, "granted": "always"}
    assert faults("reach-used", document(used), document({**used, "used": 0}))
    assert faults("reach-used", document(used), document({**used, "granted": "never"}))
    assert not faults("reach-used", document(used), document({**used, "used": None}))
