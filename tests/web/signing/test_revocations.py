"""A kill takes hold at once, says who did it, and is nobody's but who may."""

import json

import pytest

from answerable.model.errors import AnswerableError
from answerable.server.revocation_list import RevocationNote
from answerable.server.revocation_records import OBJECT_KIND
from answerable.web.pages.revocations import build_revocation_control
from answerable.web.routing import Forbidden, PageAnswer, Redirect, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.template_rendering import render_page
from tests.usecases.owned_store import AGENT, ANA, BEN, OTHER
from tests.web.conftest import answer, shown
from tests.web.signing.owner_store import ADMIN, INVESTIGATOR, LATER, OWNER, owner


def test_a_kill_takes_hold_and_says_who(desk: StoreCache) -> None:
    answer(desk, OWNER, "/kill", "POST", subject=AGENT, reason="it mails strangers")
    killed = (desk.root / "kills").read_text()
    assert killed.split("\t")[:2] == [AGENT, ANA.removeprefix("person:")]
    assert build_revocation_control(desk, OWNER, AGENT).note.by == ANA.removeprefix(
        "person:"
    )
    with desk.open_store() as store:
        (logged,) = store.list_objects(OBJECT_KIND)
        assert json.loads(store.get_object(logged.digest)) == {
            "subject": AGENT,
            "by": ANA,
            "how": "corp",
            "revived": False,
            "at": LATER,
            "reason": "it mails strangers",
            "ended": None,
        }
    assert AGENT in shown(desk, ADMIN, "/kills")
    moved = answer(desk, ADMIN, "/revive", "POST", subject=AGENT)
    assert isinstance(moved, Redirect)
    assert "revived" in moved.confirmation
    assert not build_revocation_control(desk, OWNER, AGENT).killed


def test_an_owner_kills_nothing_but_their_own(desk: StoreCache) -> None:
    for visit in (OWNER, owner(BEN, OTHER), INVESTIGATOR):
        for subject in ("server:files", "person:ben@corp.example", "agent:declared/x"):
            with pytest.raises(Forbidden):
                answer(desk, visit, "/kill", "POST", subject=subject)
    assert build_revocation_control(desk, owner(BEN, OTHER), AGENT).kills is False
    for subject in ("", "agent:", "agent:x\ny", "nothing"):
        with pytest.raises(AnswerableError):
            answer(desk, ADMIN, "/kill", "POST", subject=subject)
    assert not (desk.root / "kills").exists()


def test_the_button_says_what_follows(desk: StoreCache) -> None:
    page = PageAnswer(
        "kills.html",
        "Kills",
        {"killed": [(AGENT, RevocationNote("<i>", ""))], "said": []},
    )
    drawn = render_page(page, ADMIN, RouteRequest())
    assert "revive" in drawn
    assert "&lt;i&gt;" in drawn
