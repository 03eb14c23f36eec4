"""What is held is asked about again: the same is not sent, another is."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from answerable.web import store_cache as desks
from answerable.web.routing import NotModified
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.web.api.conftest import ask, told
from tests.web.conftest import visitor
from tests.web.dispatcher_harness import DispatcherHarness


@pytest.fixture
def own(
    estate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StoreCache]:
    monkeypatch.setattr(desks, "_INLINE_SECONDS", 60.0)
    shutil.copytree(estate / "store", tmp_path / "store")
    made = StoreCache(tmp_path / "store")
    yield made
    made.close()


def test_what_is_held_is_not_sent_again_until_the_store_changes(
    own: StoreCache,
) -> None:
    viewer = visitor(WebRole.VIEWER)
    version = told(own, viewer, "/agents").version
    held = frozenset({version})
    assert ask(own, viewer, "/agents", held) == NotModified(version)
    with EvidenceStore.open(own.root, now=0, create=False) as store:
        inventory = own.current_view().inventory
        agent = next(iter(inventory.agents))
        ownership.attest_unsigned(
            store, inventory, agent, "zoe@corp.example", now=time.time_ns()
        )
    assert ask(own, viewer, "/agents", held) != NotModified(version)


def test_versions_tell_questions_and_visitors_apart(desk: StoreCache) -> None:
    agent = next(iter(desk.current_view().inventory.agents))
    visits = [
        visitor(WebRole.VIEWER),
        visitor(WebRole.OWNER),
        visitor(WebRole.OWNER, owns=(agent,)),
        visitor(WebRole.INVESTIGATOR),
    ]
    questions: list[dict[str, str]] = [{}, {"limit": "5"}, {"kind": "cursor"}]
    versions = {
        told(desk, visit, "/agents", **each).version
        for visit in visits
        for each in questions
    }
    assert len(versions) == len(visits) * len(questions)


def test_over_http_a_match_is_304_without_a_body(here: DispatcherHarness) -> None:
    cookie, _ = here.signed_in(WebRole.VIEWER)
    first = here.get("/api/v1/agents?limit=2", cookie=cookie)
    tag = first.fields["etag"]
    assert tag.startswith('W/"'), "the same is told in other bytes where it is packed"
    assert first.fields["link"].endswith('; rel="next"')
    assert first.json["after"] in first.fields["link"]
    for held in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        again = here.get(
            "/api/v1/agents?limit=2", cookie=cookie, headers={"if-none-match": held}
        )
        assert (again.status, again.body, again.fields["etag"]) == (304, b"", tag)
    other = here.get("/api/v1/agents", cookie=cookie, headers={"if-none-match": tag})
    assert other.status == 200


def test_the_openapi_document_is_held_too(here: DispatcherHarness) -> None:
    cookie, _ = here.signed_in(WebRole.VIEWER)
    first = here.get("/api/v1/openapi.json", cookie=cookie)
    assert first.json["openapi"] == "3.1.0"
    headers = {"if-none-match": first.fields["etag"]}
    again = here.get("/api/v1/openapi.json", cookie=cookie, headers=headers)
    assert again.status == 304
