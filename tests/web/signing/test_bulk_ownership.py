"""Several orphans at once: each is attested or asked for singly, and one failure is named."""

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import pytest

from answerable.model.errors import UsageError
from answerable.model.ids import AgentId, build_person_id
from answerable.services.inventory.owner_requests import read_owner_requests
from answerable.services.statements.attested_owners import read_attestations
from answerable.web.http.errors import RequestRejected
from answerable.web.pages import inventory_list_definitions
from answerable.web.routing import (
    DocumentAnswer,
    PageAnswer,
    Redirect,
    RouteRequest,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.inventory.fact_builders import NOW
from tests.usecases import owned_store
from tests.usecases.owned_store import AGENT, ANA, BEN, OTHER, A, B
from tests.web.api.conftest import operation, told
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, markup_faults
from tests.web.signing.owner_store import ADMIN, INVESTIGATOR, LATER, OWNER, owner
from tests.web.signing.test_signing import envelope


@pytest.fixture
def desk(desk: StoreCache, monkeypatch: pytest.MonkeyPatch) -> StoreCache:
    """The same store with one more agent that has no owner."""
    more = (*owned_store.AGENTS, AgentId("agent:declared/four"))
    monkeypatch.setattr(owned_store, "AGENTS", more)
    with desk.open_store() as store:
        owned_store.scan(store, at=NOW + 1)
    return desk


def posted(
    desk: StoreCache, visit: Visitor, path: str, **form: str
) -> Sequence[Mapping[str, object]]:
    said = operation(path, "POST").handle(desk, visit, RouteRequest(form=form))
    assert isinstance(said, DocumentAnswer)
    return said.document.items


EVE = owner(build_person_id("eve@corp.example"))


def orphans(desk: StoreCache) -> list[str]:
    found = [
        key
        for key, item in inventory_list_definitions.agents(desk).by_key.items()
        if item["owner"]["state"] == "none"
    ]
    assert len(found) >= 2
    return found


def picks(*ids: str) -> dict[str, str]:
    return {f"id{number}": each for number, each in enumerate(ids)}


def drafts(desk: StoreCache, visit: Visitor, *ids: str) -> dict[str, str]:
    page = answer(desk, visit, "/owners", **picks(*ids))
    assert isinstance(page, PageAnswer)
    return {
        each.id: each.drafts[0].payload
        for each in page.values["selected"]  # type: ignore[attr-defined]  # of a test
        if each.drafts
    }


def attested(desk: StoreCache) -> set[tuple[str, str]]:
    with desk.open_store() as store:
        return {(e.subject, e.person) for e in read_attestations(store) if not e.void}


def test_rows_of_a_list_are_selected_without_script(desk: StoreCache) -> None:
    page = shown(desk, INVESTIGATOR, "/agents", **{"owner-state": "none"})
    assert markup_faults(page) == []
    for key in orphans(desk):
        assert re.findall(
            rf'<input type="checkbox" form="pick" name="id\d+" value="{key}"', page
        )
    assert 'action="/owners"' in page
    viewer = visitor()
    assert 'type="checkbox"' not in shown(desk, viewer, "/agents")


def test_several_are_signed_at_once_each_singly(desk: StoreCache) -> None:
    ids = orphans(desk)
    before = attested(desk)
    page = shown(desk, OWNER, "/owners", **picks(*ids, OTHER))
    assert markup_faults(page) == []
    assert f"Sign {len(ids)} with the key" in page  # Ben's agent is not among them
    assert "another person is its attested owner" in page
    signed = drafts(desk, OWNER, *ids)
    moved = answer(
        desk,
        OWNER,
        "/owners/sign",
        "POST",
        ids="\r\n".join(signed),
        envelopes="\r\n".join(map(envelope, signed.values())),
    )
    assert isinstance(moved, Redirect)
    assert moved.confirmation == f"Signed: you own {len(ids)}."
    assert attested(desk) - before == {(each, ANA) for each in ids}


def test_one_failure_is_named_and_loses_nothing(desk: StoreCache) -> None:
    first, second, *_ = orphans(desk)
    signed = drafts(desk, OWNER, first, second)
    # The second is signed for the first, the third has another owner.
    sent = [(first, signed[first]), (second, signed[first]), (OTHER, signed[second])]
    moved = answer(
        desk,
        OWNER,
        "/owners/sign",
        "POST",
        ids="\n".join(each for each, _ in sent),
        envelopes="\n".join(envelope(payload) for _, payload in sent),
    )
    assert isinstance(moved, Redirect)
    assert "Signed: you own 1." in moved.confirmation
    assert f"Not recorded: {second}: " in moved.confirmation
    assert f"{OTHER}: it does not exist, or another person" in moved.confirmation
    assert {(first, ANA)} <= attested(desk)
    assert (second, ANA) not in attested(desk)
    # Those that failed stay selected.
    kept = dict(parse_qsl(moved.location.partition("?")[2]))
    assert kept == picks(second, OTHER)
    again = shown(desk, OWNER, "/owners", **kept)
    assert "Sign 1 with the key" in again


def test_a_signature_of_another_person_records_nothing(desk: StoreCache) -> None:
    (first, *_), before = orphans(desk), attested(desk)
    payload = drafts(desk, OWNER, first)[first]
    for visit, key in ((OWNER, B), (owner(BEN, OTHER), A)):
        moved = answer(
            desk,
            visit,
            "/owners/sign",
            "POST",
            ids=first,
            envelopes=envelope(payload, key),
        )
        assert isinstance(moved, Redirect)
        assert moved.confirmation.startswith("Not recorded: ")
    assert attested(desk) == before
    for ids, envelopes in (("", ""), (first, ""), ("\n".join("x" * 51), "{}")):
        with pytest.raises(UsageError):
            answer(desk, OWNER, "/owners/sign", "POST", ids=ids, envelopes=envelopes)


def test_a_person_is_asked_for_several_and_answers_them(desk: StoreCache) -> None:
    ids = orphans(desk)
    moved = answer(
        desk,
        INVESTIGATOR,
        "/owners/ask",
        "POST",
        ids="\n".join([*ids, "agent:nowhere/x"]),
        person=ANA.removeprefix("person:"),
        note=f"yours? {HOSTILE[0]}",
    )
    assert isinstance(moved, Redirect)
    assert f"is asked about {len(ids)}." in moved.confirmation
    assert "agent:nowhere/x: no scan contains this" in moved.confirmation
    with desk.open_store() as store:
        assert {(e.subject, e.person, e.at) for e in read_owner_requests(store)} == {
            (each, ANA, LATER) for each in ids
        }
    assert not {(each, ANA) for each in ids} & attested(desk)  # a request gives nothing
    home = shown(desk, OWNER, "/")
    assert f"asks whether you own this and {len(ids) - 1} more" in home
    assert "asks whether you own this" not in shown(desk, owner(BEN, OTHER), "/")
    inbox = shown(desk, OWNER, "/owners")
    assert markup_faults(inbox) == []
    assert HOSTILE[0] not in inbox
    assert all(f'value="{each}"' in inbox for each in ids)
    items = told(desk, OWNER, "/owners/requests").document.items
    assert {(e["subject"], e["state"]) for e in items} == {(e, "open") for e in ids}
    assert told(desk, EVE, "/owners/requests").document.items == []
    signed = drafts(desk, OWNER, *ids)
    results = posted(
        desk,
        OWNER,
        "/owners/sign",
        ids="\n".join(ids),
        envelopes="\n".join(envelope(signed[each]) for each in ids),
    )
    assert [(e["id"], e["recorded"]) for e in results] == [(e, True) for e in ids]
    items = told(desk, ADMIN, "/owners/requests").document.items
    assert {e["state"] for e in items} == {"answered"}
    assert "asks whether you own this" not in shown(desk, OWNER, "/")


def test_only_a_present_person_is_asked(desk: StoreCache) -> None:
    (first, *_) = orphans(desk)
    for person in ("", "nobody@corp.example", "github-actions[bot]", "two words"):
        with pytest.raises(UsageError):
            answer(desk, INVESTIGATOR, "/owners/ask", "POST", ids=first, person=person)
    with pytest.raises(UsageError, match="contains a credential"):
        answer(
            desk,
            INVESTIGATOR,
            "/owners/ask",
            "POST",
            ids=first,
            person=ANA,
            note=f"token ghp_{'a1B2' * 9}",
        )
    with desk.open_store() as store:
        assert read_owner_requests(store) == []


def test_drafts_over_the_api_are_those_of_the_page(desk: StoreCache) -> None:
    ids = orphans(desk)
    items = told(desk, OWNER, "/owners/sign", ids="\n".join(ids)).document.items
    assert {e["id"]: e["payload"] for e in items} == drafts(desk, OWNER, *ids)
    assert json.loads(json.dumps(items))
    for visit, other in ((OWNER, OTHER), (owner(BEN), AGENT)):
        with pytest.raises(RequestRejected):
            told(desk, visit, "/owners/sign", ids=other)


def test_a_request_about_an_entity_without_a_scan_is_not_known(
    desk: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted(desk, INVESTIGATOR, "/owners/ask", ids="agent:declared/four", person=ANA)
    monkeypatch.setattr(owned_store, "AGENTS", owned_store.AGENTS[:3])
    with desk.open_store() as store:
        owned_store.scan(store, at=NOW + 2)
    (item,) = told(desk, ADMIN, "/owners/requests").document.items
    assert item["state"] == "not-known"
    counts = {
        each["measure"]: each["count"]
        for each in told(desk, ADMIN, "/overview").document.items
    }
    assert counts["open owner requests"] is None  # not 0
