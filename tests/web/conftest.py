"""A desk on the sample estate, visitors of every role, and pages as they are asked for."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.model.ids import PersonId
from answerable.web import store_cache
from answerable.web.killed_subjects import read_killed_subjects
from answerable.web.route_table import ROUTES
from answerable.web.routing import FileDownload, PageAnswer, RouteAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.template_rendering import render_page
from answerable.web.visitor import Visitor, WebRole
from tests.web.chromium import CHROMIUM

ANA = PersonId("person:ana@corp.example")
SOURCES = (
    "home:home/ana",
    "repo:repo",
    "aws:aws/account.json",
    "aws-keys:aws/keys.json",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that uses a browser: those run in a process of their own."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(autouse=True)
def _views_are_rebuilt_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show each change at once; on a busy machine a view could be slow to build."""
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", 60.0)
    monkeypatch.setattr(store_cache, "_CLOSE_TIMEOUT", 30.0)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Start the browser: once, since a process has room for one such loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's folder; its store is `store` in there, scanned and ingested."""
    folder = tmp_path_factory.mktemp("estate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ANSWERABLE_STORE", "store")
        write_sample(Path(), time.time_ns())
        assert main(["--quiet", "scan", *SOURCES]) == 0
        assert main(["--quiet", "ingest", "cloudtrail:trail"]) == 0
    return folder


@pytest.fixture(scope="session")
def desk(estate: Path) -> Iterator[StoreCache]:
    made = StoreCache(estate / "store")
    yield made
    made.close()


def visitor(
    *roles: WebRole, person: PersonId | None = None, owns: tuple[str, ...] = ()
) -> Visitor:
    return Visitor(person, frozenset(roles), frozenset(owns), "csrf-of-a-test")


@pytest.fixture
def admin() -> Visitor:
    return visitor(WebRole.ADMIN, WebRole.OWNER, person=ANA)


@pytest.fixture
def viewer() -> Visitor:
    return visitor(WebRole.VIEWER)


def answer(
    desk: StoreCache, visit: Visitor, path: str, method: str = "GET", **said: str
) -> RouteAnswer:
    """Ask a route as the door does, without HTTP."""
    route = next(r for r in ROUTES if (r.path, r.method) == (path, method))
    assert set(said) <= set(route.parameters)
    asked = RouteRequest(query=said) if method == "GET" else RouteRequest(form=said)
    return route.handler(desk, visit, asked)


def shown(desk: StoreCache, visit: Visitor, path: str, **said: str) -> str:
    """Give the HTML of a page, or of a page that is a file."""
    page = answer(desk, visit, path, **said)
    if isinstance(page, FileDownload):
        return page.body.decode()
    assert isinstance(page, PageAnswer), page
    killed = read_killed_subjects(desk)
    return render_page(page, visit, RouteRequest(query=said, url=path, killed=killed))
