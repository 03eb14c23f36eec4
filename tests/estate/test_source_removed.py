"""A law over every kind of document: with a source removed, no no becomes stronger.

A kind of document joins by a line in `ASKED` (`removal_questions.py`), with questions,
or in `APART`, with why no scanned source or trail bears on it.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.cli.render.documents import RENDERERS
from answerable.model.documents.registry import ITEM_TYPES
from answerable.model.errors import AnswerableError, UsageError
from answerable.server.revocation_list import RevocationFile
from answerable.web.api.operation_table import OPERATIONS
from answerable.web.http.errors import RequestRejected
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
from tests.estate.gateway_activity import record_activity, write_gateway_spool
from tests.estate.page_numbers import zeros
from tests.estate.page_questions import (
    GATEWAY,
    list_new_denials,
    list_page_questions,
)
from tests.estate.permission_questions import ACTIONS, RESOURCES, STATEMENTS, SUBJECTS
from tests.estate.removal_questions import (
    APART,
    ASKED,
    DEVELOPER,
    KEY,
    PAGES,
    PAGES_APART,
    REPORTER,
    USER,
)
from tests.estate.sample_stores import (
    DATA,
    SOURCES,
    Stores,
    ask_for_owner,
)
from tests.estate.seven import Answer, Ask
from tests.laws.removal import faults
from tests.web.conftest import ANA, shown, visitor


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
        bare = stores.root / "store-without-gateway"
        shutil.copytree(self.full.root, bare)
        self.less[GATEWAY] = StoreCache(bare)
        self.held = write_gateway_spool(stores.root / "spool")
        self.events = self.list_some("/trace", "event_id")
        inventory = self.full.current_view().inventory
        for name, desk in (("", self.full), *self.less.items()):
            ask_for_owner(desk.root, REPORTER)
            spool = None if name == GATEWAY else stores.root / "spool"
            self.draft = record_activity(desk.root, spool, self.events, inventory)

    def list_page_questions(self) -> list[tuple[str, dict[str, str]]]:
        """List each page of the law with what it is asked, at least once."""
        found = self.list_some("/findings", "id")
        return list_page_questions(self.held, self.draft, self.events, found)

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


_DIRECT = ("/can", "/who-can", "/reach")
INVESTIGATOR = visitor(
    *(WebRole.ADMIN, WebRole.OWNER, WebRole.INVESTIGATOR), person=ANA, owns=(DEVELOPER,)
)


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


@pytest.mark.parametrize("removed", [*SOURCES, GATEWAY])
def test_no_figure_of_the_overview_becomes_0(desks: Desks, removed: str) -> None:
    before = figures(shown(desks.full, INVESTIGATOR, "/"))
    after = figures(shown(desks.less[removed], INVESTIGATOR, "/"))
    assert before["/agents"] != "0"
    gone = {to for to, number in after.items() if number == "0"}
    assert {to for to in gone if before.get(to, "0") != "0"} == set()


Pages = list[tuple[str, dict[str, str], str]]


@pytest.fixture(scope="module")
def whole_pages(desks: Desks) -> Pages:
    """Each page of the whole store with what it is asked: shown once."""
    questions = desks.list_page_questions()
    assert {path for path, _ in questions} >= PAGES
    return [
        (path, said, shown(desks.full, INVESTIGATOR, path, **said))
        for path, said in questions
    ]


@pytest.mark.parametrize("removed", [*SOURCES, GATEWAY])
def test_no_page_says_a_stronger_no(
    desks: Desks, whole_pages: Pages, removed: str
) -> None:
    found = []
    for path, said, before in whole_pages:
        try:
            after = shown(desks.less[removed], INVESTIGATOR, path, **said)
        except (Forbidden, RequestRejected, AnswerableError):
            continue  # not known any more: no answer
        new = list_new_denials(path, before, after)
        if path != "/trace/hops":  # there, what no source tells any more is `missing`
            new += map(str, zeros(before, after))
        found += [(path, said, each) for each in new]
    assert found == []
    for kind in ("agents", "identities", "credentials", "tools", "people"):
        page = next(r for r in ROUTES if r.path == f"/{kind}").handler(
            desks.less[removed], INVESTIGATOR, RouteRequest()
        )
        assert isinstance(page, PageAnswer)
        assert page.values["all"] != 0, kind


_KILLED = '<span class="badge bad">killed</span>'
_NAMED = re.compile(
    r'<a (?=[^>]*href="/(?:agent|identity|credential)\?id=([^"&]*)"'
    r'|[^>]*class="id"[^>]*title="([^"]*)")[^>]*>(?:(?!</a>).)*</a>'
    rf"(?! {re.escape(_KILLED)})",
    re.DOTALL,
)
_PICTURE = re.compile(r"<svg\b.*?</svg>", re.DOTALL)


def test_every_page_marks_what_is_killed(desks: Desks) -> None:
    killed = {REPORTER, USER, KEY, DEVELOPER}
    subjects = [*killed - {USER}, f"principal:{USER}"]
    file = RevocationFile(desks.full.root)
    for subject in subjects:
        file.revoke(subject, "ana")
    bare, marked = set(), 0
    for path, said in desks.list_page_questions():
        page = shown(desks.full, INVESTIGATOR, path, **said)
        drawn = _PICTURE.sub("", page)
        # A file of the time of its events; links without a name of what they lead to.
        if path not in ("/case/page", "/kill", "/sign"):
            found = _NAMED.findall(drawn)
            bare |= {(path, unquote(to) or name) for to, name in found}
            marked += page.count(_KILLED)
    for subject in subjects:
        file.reinstate(subject)
    assert {each for each in bare if each[1] in killed} == set()
    assert marked > 50


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
