"""A kill takes hold at once, says who did it, and is nobody's but who may."""

import json
import re
from urllib.parse import urlencode

import pytest

from answerable.model.errors import AnswerableError
from answerable.server.kills_in_force import group_kills
from answerable.server.revocation_list import RevocationFile, RevocationNote
from answerable.server.revocation_records import OBJECT_KIND
from answerable.web.pages import inventory_list_definitions
from answerable.web.pages.revocations import (
    build_revocation_control,
    read_killed_subjects,
)
from answerable.web.routing import Forbidden, PageAnswer, Redirect, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.template_rendering import render_page
from tests.usecases.owned_store import AGENT, ANA, BEN, OTHER
from tests.web.api.conftest import told
from tests.web.conftest import answer, shown
from tests.web.markup_checks import markup_faults
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


@pytest.mark.parametrize(
    ("subject", "warned"),
    [
        (AGENT, ""),
        ("run:0123456789abcdef0123456789abcdef", ""),
        (f"{AGENT}x", f"did you mean {AGENT}?"),
        ("agent:no/such", "no scan contains agent:no/such: check the spelling"),
        ("person:nobody", "no scan contains person:nobody: check the spelling"),
        ("cred:fp/000000000000000000000000", "no scan contains cred:fp/0000"),
    ],
)
def test_a_kill_of_an_unknown_subject_holds_and_warns(
    desk: StoreCache, subject: str, warned: str
) -> None:
    moved = answer(desk, ADMIN, "/kill", "POST", subject=subject)
    assert isinstance(moved, Redirect)
    assert subject in read_killed_subjects(desk)
    assert ("Warning: " in moved.confirmation) == bool(warned)
    assert warned in moved.confirmation
    if warned:
        assert moved.location == "/kills"


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


def test_a_row_leads_to_a_kill_with_its_reason_and_effects(desk: StoreCache) -> None:
    page = shown(desk, OWNER, "/agents")
    link = f"/kill?{urlencode({'subject': AGENT})}"
    assert link in page
    assert "/kill?" not in shown(desk, INVESTIGATOR, "/agents")
    assert '<span class="badge bad">killed</span>' not in page
    asked = shown(desk, OWNER, "/kill", subject=AGENT)
    assert markup_faults(asked) == []
    assert 'name="reason" required' in asked
    assert "Stays valid elsewhere" in asked
    for visit, subject in ((owner(BEN, OTHER), AGENT), (ADMIN, "agent:declared/none")):
        with pytest.raises(Forbidden):
            shown(desk, visit, "/kill", subject=subject)
    answer(desk, OWNER, "/kill", "POST", subject=AGENT, reason="it mails strangers")
    for visit in (OWNER, INVESTIGATOR):
        page = shown(desk, visit, "/agents")
        assert '<span class="badge bad">killed</span>' in page
        assert link not in page
    assert "it mails strangers" in shown(desk, OWNER, "/kill", subject=AGENT)
    for path, query in (
        ("/agent", {"id": AGENT}),
        ("/search", {"q": AGENT}),
        ("/reach", {"subject": AGENT}),
    ):
        listed = shown(desk, INVESTIGATOR, path, **query)
        assert '<span class="badge bad">killed</span>' in listed, path
        assert markup_faults(listed) == []
    assert "it mails strangers" in shown(desk, INVESTIGATOR, "/agent", id=AGENT)
    overview = shown(desk, INVESTIGATOR, "/")
    assert '<span class="big">1</span> kill in force' in overview
    answer(desk, ADMIN, "/revive", "POST", subject=AGENT)


def test_unreadable_kills_are_said_to_be_not_known(desk: StoreCache) -> None:
    answer(desk, OWNER, "/kill", "POST", subject=AGENT, reason="it mails strangers")
    said = "which agents, identities and credentials are killed"
    pages: tuple[tuple[str, dict[str, str]], ...] = (
        *(("/agents", {}), ("/agent", {"id": AGENT}), ("/search", {"q": AGENT})),
        *(("/decisions", {}), ("/kill", {"subject": AGENT}), ("/", {})),
    )
    for path, query in pages:
        assert said not in shown(desk, OWNER, path, **query), path
    (desk.root / "kills").write_bytes(b"\xff\xff")
    for path, query in pages:
        page = shown(desk, OWNER, path, **query)
        assert said in page, path
        assert 'badge bad">killed<' not in page
        assert markup_faults(page) == []
    asked = RouteRequest(part=True, killed=read_killed_subjects(desk))
    listed = answer(desk, OWNER, "/agents")
    assert isinstance(listed, PageAnswer)
    assert said in render_page(listed, OWNER, asked)
    control = build_revocation_control(desk, OWNER, AGENT)
    assert (control.killed, control.kills) == (None, True)


def test_an_owner_can_be_recorded_from_the_row_of_an_orphan(desk: StoreCache) -> None:
    orphans = [
        key
        for key, item in inventory_list_definitions.agents(desk).by_key.items()
        if item["owner"]["state"] == "none"
    ]
    assert orphans
    page = shown(desk, OWNER, "/agents", **{"owner-state": "none"})
    for key in orphans:
        query = urlencode({"act": "attest", "id": key})
        assert f"/sign?{query}".replace("&", "&amp;") in page
        detail = shown(desk, OWNER, "/agent", id=key)
        assert f"/sign?{query}".replace("&", "&amp;") in detail
    assert "act=attest" not in shown(desk, INVESTIGATOR, "/agents")


def test_the_button_says_what_follows(desk: StoreCache) -> None:
    page = PageAnswer(
        "kills.html",
        "Kills",
        {"killed": group_kills({AGENT: RevocationNote("<i>", "")}), "said": []},
    )
    drawn = render_page(page, ADMIN, RouteRequest())
    assert "revive" in drawn
    assert "&lt;i&gt;" in drawn


def text_of(page: str) -> str:
    """Return the text of a page, without its tags."""
    return " ".join(re.sub("<[^>]*>", " ", page).split())


def test_one_kill_counts_once_whatever_ends_with_it(desk: StoreCache) -> None:
    file = RevocationFile(desk.root)
    file.revoke(AGENT, "ana", "it mails strangers")
    file.revoke_all(
        [f"run:{n}" for n in range(10)], RevocationNote("ana", ended_with=AGENT)
    )
    file.revoke_all(["run:below"], RevocationNote("ana", ended_with="run:3"))
    (kill,) = told(desk, ADMIN, "/kills").document.items
    assert kill["subject"] == AGENT
    assert kill["ended"] == [*(f"run:{n}" for n in range(10)), "run:below"]
    for visit in (ADMIN, INVESTIGATOR):
        text = text_of(shown(desk, visit, "/"))
        assert "1 kill in force" in text
        assert "delegations ended by a kill 11" in text
    page = shown(desk, ADMIN, "/kills")
    assert markup_faults(page) == []
    assert page.count(">revive<") == 1
    assert "11 delegations ended with it" in page
    # A revived subject is no kill, but what ended with it stays visible.
    file.reinstate(AGENT)
    (kill,) = told(desk, ADMIN, "/kills").document.items
    assert (kill["subject"], kill["revived"], len(kill["ended"])) == (AGENT, True, 11)
    assert "0 kills in force" in text_of(shown(desk, ADMIN, "/"))
    assert ">revive<" not in shown(desk, ADMIN, "/kills")


def test_every_revoked_subject_is_in_one_group() -> None:
    for notes in (
        {"run:a": "run:b", "run:b": "run:a"},
        {"run:a": "run:a"},
        {"run:a": "agent:declared/x", "run:b": "run:a", "server:s": ""},
    ):
        revoked = {each: RevocationNote(ended_with=end) for each, end in notes.items()}
        groups = group_kills(revoked)
        ended = [run for group in groups for run in group.ended]
        killed = [group.subject for group in groups if not group.is_revived]
        assert sorted(ended + killed) == sorted(notes)
