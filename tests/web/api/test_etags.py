"""What is held is asked about again: the same is not sent, another is."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.store.store import Store
from answerable.usecases.inventory import ownership
from answerable.web import store_cache as desks
from answerable.web.routing import Same
from answerable.web.store_cache import Desk
from answerable.web.visitor import Role
from tests.web.api.conftest import ask, told
from tests.web.conftest import visitor
from tests.web.dispatcher_harness import Stage


@pytest.fixture
def own(
    estate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    monkeypatch.setattr(desks, "_SHORT", 60.0)
    shutil.copytree(estate / "store", tmp_path / "store")
    made = Desk(tmp_path / "store")
    yield made
    made.close()


def test_what_is_held_is_not_sent_again_until_the_store_changes(own: Desk) -> None:
    viewer = visitor(Role.VIEWER)
    version = told(own, viewer, "/agents").version
    held = frozenset({version})
    assert ask(own, viewer, "/agents", held) == Same(version)
    with Store.open(own.root, now=0, create=False) as store:
        inventory = own.standing().inventory
        agent = next(iter(inventory.agents))
        ownership.attest(
            store, inventory, agent, "zoe@corp.example", now=time.time_ns()
        )
    assert ask(own, viewer, "/agents", held) != Same(version)


def test_versions_tell_questions_and_visitors_apart(desk: Desk) -> None:
    agent = next(iter(desk.standing().inventory.agents))
    visits = [
        visitor(Role.VIEWER),
        visitor(Role.OWNER),
        visitor(Role.OWNER, owns=(agent,)),
        visitor(Role.INVESTIGATOR),
    ]
    questions: list[dict[str, str]] = [{}, {"limit": "5"}, {"kind": "cursor"}]
    versions = {
        told(desk, visit, "/agents", **each).version
        for visit in visits
        for each in questions
    }
    assert len(versions) == len(visits) * len(questions)


def test_over_http_a_match_is_304_without_a_body(here: Stage) -> None:
    cookie, _ = here.signed_in(Role.VIEWER)
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


def test_the_openapi_document_is_held_too(here: Stage) -> None:
    cookie, _ = here.signed_in(Role.VIEWER)
    first = here.get("/api/v1/openapi.json", cookie=cookie)
    assert first.json["openapi"] == "3.1.0"
    headers = {"if-none-match": first.fields["etag"]}
    again = here.get("/api/v1/openapi.json", cookie=cookie, headers=headers)
    assert again.status == 304
