"""The pages of an agent, an identity, a credential and a person."""

import html
import re

import pytest

from answerable.web.pages import inventory_list_definitions
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, markup_faults

PAGES = (
    ("/agent", "agents"),
    ("/identity", "identities"),
    ("/credential", "credentials"),
    ("/person", "people"),
)
REPORTER = "agent:claude-code/ana/reporter"
BOT = "arn:aws:iam::111122223333:user/report-bot"


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.mark.parametrize(("path", "kind"), PAGES)
def test_everything_that_is_listed_has_a_page(
    desk: StoreCache, admin: Visitor, path: str, kind: str
) -> None:
    for key in getattr(inventory_list_definitions, kind)(desk).by_key:
        page = shown(desk, admin, path, id=key)
        assert markup_faults(page) == []
        assert html.escape(key) in page


@pytest.mark.parametrize(("path", "kind"), PAGES)
@pytest.mark.parametrize("text", HOSTILE)
def test_an_id_that_is_none_is_told_as_text(
    desk: StoreCache, viewer: Visitor, path: str, kind: str, text: str
) -> None:
    made = answer(desk, viewer, path, id=text)
    assert isinstance(made, PageAnswer)
    assert made.status == 404
    assert markup_faults(shown(desk, viewer, path, id=text)) == []


def test_an_id_nearly_right_is_answered_with_what_is_meant(
    desk: StoreCache, viewer: Visitor
) -> None:
    assert BOT in shown(desk, viewer, "/identity", id="report-bot")
    assert REPORTER in shown(desk, viewer, "/agent", id="agent:claude/ana/reporter")


def test_evidence_stands_with_weight_source_and_who_wrote_it(
    desk: StoreCache, viewer: Visitor
) -> None:
    said = text_of(shown(desk, viewer, "/agent", id=REPORTER))
    assert "inferred" in said
    assert "config-in-home" in said
    assert re.findall(r"0\.\d\d config-in-home", said)
    assert "answerable attest" in said


def test_deeds_are_shown_to_whom_they_may_be(desk: StoreCache, viewer: Visitor) -> None:
    unseen = text_of(shown(desk, viewer, "/identity", id=BOT))
    assert "Not shown" in unseen
    assert "last blocked" not in unseen
    assert "/event?" not in shown(desk, viewer, "/identity", id=BOT)
    mine = visitor(WebRole.OWNER, owns=(BOT,))
    assert "/event?" in shown(desk, mine, "/identity", id=BOT)
    other = visitor(WebRole.OWNER, owns=("agent:cursor/ana",))
    assert "/event?" not in shown(desk, other, "/identity", id=BOT)
    investigator = visitor(WebRole.INVESTIGATOR)
    assert "/event?" in shown(desk, investigator, "/identity", id=BOT)


def test_an_identity_shows_what_is_granted_reachable_used_and_blocked(
    desk: StoreCache, admin: Visitor
) -> None:
    said = text_of(shown(desk, admin, "/identity", id=BOT))
    assert "Granted, reachable, used, blocked" in said
    assert "s3:GetObject" in said
    assert "not collected" in said or re.findall(r"always \d+ ", said)


def test_a_credential_says_how_it_ends_and_never_its_value(
    desk: StoreCache, viewer: Visitor
) -> None:
    for key, item in inventory_list_definitions.credentials(desk).by_key.items():
        said = text_of(shown(desk, viewer, "/credential", id=key))
        assert "Effect of revocation" in said
        assert len(item["hint"]) <= 4


def test_an_agent_that_no_scan_saw_has_a_page_all_the_same(
    desk: StoreCache, viewer: Visitor
) -> None:
    listing = inventory_list_definitions.agents(desk)
    assert {item["known"] for item in listing.items} <= {
        "observed",
        "declared",
        "inferred",
    }
    # Names of the trail alone: the identity was deleted before any scan.
    gone = [
        key
        for key in inventory_list_definitions.get_current_inventory(desk).owners
        if key.startswith("arn:")
        and key not in inventory_list_definitions.identities(desk).by_key
    ]
    for key in gone:
        assert "not scanned" in shown(desk, viewer, "/identity", id=key)


def test_a_button_to_kill_is_there_for_whom_it_works(desk: StoreCache) -> None:
    def button(visit: Visitor) -> bool:
        return 'action="/kill"' in shown(desk, visit, "/agent", id=REPORTER)

    assert not button(visitor(WebRole.VIEWER))
    assert not button(visitor(WebRole.OWNER, owns=("agent:cursor/ana",)))
    assert button(visitor(WebRole.OWNER, owns=(REPORTER,)))
    assert button(visitor(WebRole.ADMIN))


def test_who_is_one_by_an_agents_word_alone_stays_apart(
    desk: StoreCache, viewer: Visitor
) -> None:
    """The .gitconfig of the sample says that ana is ana@corp.example."""
    ana, mail = "person:ana", "person:ana@corp.example"
    for one, other in ((ana, mail), (mail, ana)):
        page = answer(desk, viewer, "/person", id=one)
        assert isinstance(page, PageAnswer)
        assert (page.values["apart"], page.values["aliases"]) == ([other], [])
        assert "activity and keys of the other are not listed" in shown(
            desk, viewer, "/person", id=one
        )


def test_another_alias_brings_no_deeds_along(desk: StoreCache, admin: Visitor) -> None:
    """Of the two of the sample only the agent's owner, by its home, is in the trail."""
    rows: dict[str, int] = {}
    for one in ("person:ana", "person:ana@corp.example"):
        page = answer(desk, admin, "/person", id=one)
        assert isinstance(page, PageAnswer)
        deeds = page.values["deeds"].rows  # type: ignore[attr-defined]  # of a test
        assert {each["hops"]["person"]["value"] for each in deeds} <= {one}
        rows[one] = len(deeds)
        drawn = shown(desk, admin, "/person", id=one)
        assert ("No activity is recorded" in drawn) == (not deeds)
    assert rows["person:ana@corp.example"] == 0 < rows["person:ana"]
